"""Catalog: which products the market sells, and for how much.

Decides: a product's name, description, category and price. An operator writes; everybody reads.

Guarantees: an answer's ETag changes exactly when the answer does, so whoever keeps one can ask for free
whether it still holds; a replacement with `If-Match` never overwrites a change that its author has not seen.
`product.changed` is written with the change itself, and only when something has changed.

Leaves to others: how many pieces there are (inventory), and what a customer has paid (orders keeps the price
at which an order was placed).
"""
