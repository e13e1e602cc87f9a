"""Notifications: the messages that the shop writes to its customers.

Decides: which event deserves a message, and its words.

Guarantees: one message for each event, however often and in whatever order the events come. Each message is
made from its own event alone, so there is nothing to wait for and nothing to mix up.

Leaves to others: everything that the messages tell of. A lost or late message changes no order.
"""
