"""Accounts: who the users are, and the tokens that say so to every other service.

Decides: whether an e-mail and a password belong together, which roles a user has, and which key signs.

Guarantees: an e-mail has one account. A token that was given out stays good until it expires, whatever keys are
rotated and however many replicas run. A refresh token works once, with some grace for a retry; used again later
it was stolen, and everything that came from the same sign-in ends. Passwords are kept as argon2id hashes, refresh
tokens as SHA-256; neither can be read back.

Leaves to others: checking access tokens (each service by itself, with the public keys from here), and what a role
may do.
"""
