"""The bank: stands for a payment provider outside our walls, to be slowed, failed and switched off.

Decides: whether a card is charged. Remembers every charge by the caller's idempotency key.

Guarantees: one key is one charge, and one charge is refunded at most once, however often and by however many
callers it is asked at the same time. What it answered survives its own death. A 503 means that nothing was
done; after any other failure, or none at all, only asking again tells.

Leaves to others: everything about orders. It never learns more of one than a reference.
"""
