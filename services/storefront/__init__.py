"""Storefront: the shop as web pages, rendered here and made of what the other services answer.

Decides: how the shop looks, and what a page does when a neighbour is away: the part that needs it is left out,
and only what makes no sense without it (a product without its catalog) becomes a page that says "busy".

Guarantees: a form that is sent twice places one order, because its Idempotency-Key and its lines are made when
the form is shown. No page of one customer is kept by a cache. Nothing that a neighbour sends is shown unescaped.

Leaves to others: everything else. It keeps no data, has no database, and asks the same public paths as any
other client. Who is signed in stands in a signed cookie, so any replica answers any request.
"""
