"""Payments: has the bank take the money for an order, and give it back when the order is cancelled.

Decides: when the bank is asked, what its answer means, and what is done when it gives none.

Guarantees, in any number of replicas and whatever is killed when: never a second charge for an order, never a
charge kept for a cancelled one, and every payment ends once the bank answers again.

How, in three rules:

1.  One order is one idempotency key at the bank. Whoever asks again, asks for the same charge.
2.  A payment is voided only while it is certain that no request for it can still reach the bank. "I asked the
    bank, and it knows no such charge" is no proof: a request that was lost sight of may arrive later. So a
    payment whose charge was sent without a clear answer is *in doubt*, and stays so until the bank has
    answered under its key. If its order is cancelled meanwhile, it is charged all the same, and refunded.
3.  What the bank did is true whoever brings the answer; "nothing was done" and "no answer" count only from the
    worker that still holds the claim. (A worker that was slower than its claim has been overtaken, and says
    nothing about what the other one has sent since.)

Leaves to others: whether an order is cancelled (orders), and which cards there are (orders and the bank).
"""
