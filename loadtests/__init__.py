"""The laboratory: shoppers that load the shop, and the audit that proves that nothing was lost.

It imports no service: it speaks HTTP, so it works against any deployment of the shop.
"""
