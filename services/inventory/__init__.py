"""Inventory: how many pieces there are, and which of them are promised to an order.

Decides: whether an order can be had. All of its lines are reserved, or none.

Guarantees: never more is promised than there is, with any number of replicas, since a line is taken by one
conditional UPDATE. An order has one reservation, and its end state is the same in whatever order and however
often the events about it come. Every change of a stock row is a movement; the movements of a sku add up to
its row.

Leaves to others: what an order is and when it ends (orders), what a product is (catalog).
"""
