"""Carts: what a customer means to buy, before it is an order.

Decides: nothing that costs money. A cart holds skus and quantities.

Guarantees: a cart can always be read; names and prices are the catalog's of this moment, and while the catalog
is away the last ones known, which the answer then says. What was ordered leaves the cart, once, and only that.

Leaves to others: names and prices (catalog), whether there is stock (inventory), and the price that counts
(orders reads it anew when an order is placed).
"""
