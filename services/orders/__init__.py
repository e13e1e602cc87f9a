"""Orders: takes an order and leads it to its end, CONFIRMED or CANCELLED.

Decides: the state of each order, and its price (read from the catalog when it is placed). It is the
coordinator of a saga: stock and payment are asked for by events, and answer by events.

Guarantees: an order answered with 202 always ends. A transition is one conditional UPDATE on the old state,
with its event in the same transaction, so of two that race exactly one happens. Nobody's answer is waited for
longer than ORDER_DEADLINE_S.

Leaves to others: whether there is stock (inventory), whether there is money (payments), and giving back what
was taken for an order that was cancelled (each for itself, on `order.cancelled`).
"""
