"""What performance ought to be, from numbers that were measured: formulas as pure functions.

Reading order: `laws` (what holds for any system) -> `queues` and `percentiles` (one station) -> `networks` and
`convolution` (many stations, a fixed number of customers) -> `scaling` and `fitting` (how throughput grows with
replicas) -> `availability`, `retries`, `caching` (what fails, what multiplies load, what takes it away).

Units: seconds, requests per second, shares between 0 and 1. Wrong input is a ValueError that names it; a load that
no steady state can carry is `Overloaded`, which is a ValueError too.
"""
