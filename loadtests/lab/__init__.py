"""The laboratory's machinery. Nothing here knows a particular experiment.

From numbers to a page: `columns` reads the samples, `statistics`, `omission`, `spread`, `timeline` and `recovery` say
what is in them, `plots` draws it and `report` writes the page.
"""
