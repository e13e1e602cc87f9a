"""Who asks whom in the shop, and what follows: each step of the load as a tree of visits. Pure data.

`calls` are waited for by whoever makes them; what is in `then` are events, delivered after the visit, which nobody
waits for. A service spends the CPU of a step in equal units: one for each request that it takes, each call that it
makes and each event that it delivers. An order is 3 requests, 1 call and 5 deliveries of orders, so 9 units, 2 of them
before the customer has an answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal


@dataclass(frozen=True)
class Visit:
    """One request at one service.

    units: of CPU before its answer. pool: what it holds meanwhile, a thread for requests or one of the workers that
    settle payments. writes: it takes the write lock of the service's database. inside: handed on within a process, so
    that nobody delivers it. marks: the order is placed or settled with it.
    """

    service: str
    units: int = 1
    calls: tuple["Visit", ...] = ()
    then: tuple["Visit", ...] = ()
    pool: str = "threads"
    writes: bool = False
    inside: bool = False
    marks: Literal["", "placed", "settled"] = ""

    def deliveries(self) -> int:
        """Events that its service has to deliver afterwards, a unit of CPU each."""
        return sum(not event.inside for event in self.then)

    def answered(self) -> Iterator["Visit"]:
        """This visit and those that it waits for."""
        yield self
        for call in self.calls:
            yield from call.answered()

    def everything(self) -> Iterator["Visit"]:
        """This visit and all that follows from it."""
        yield self
        for other in (*self.calls, *self.then):
            yield from other.everything()


BANK = "bank"
NGINX = "nginx"

_NEWS = (Visit("inventory", writes=True), Visit("notifications", writes=True))
_CONFIRMED = Visit("orders", then=_NEWS, writes=True, marks="settled")
_CHARGE = Visit("payments", calls=(Visit(BANK),), then=(_CONFIRMED,), pool="workers", writes=True, inside=True)
_PAYMENT = Visit("payments", then=(_CHARGE,), writes=True)
_RESERVED = Visit("orders", then=(_PAYMENT,), writes=True)
_STOCK = Visit("inventory", then=(_RESERVED,), writes=True)
_PLACED = (_STOCK, Visit("carts", writes=True))
_PLACE = Visit("orders", 2, calls=(Visit("catalog"),), then=_PLACED, writes=True, marks="placed")


def _through_the_gateway(visit: Visit) -> Visit:
    return Visit(NGINX, calls=(visit,))


STEPS: dict[str, Visit] = {
    "page": _through_the_gateway(Visit("catalog")),
    "product": _through_the_gateway(Visit("catalog")),
    "fresh_product": _through_the_gateway(Visit("catalog")),
    "stock": _through_the_gateway(Visit("inventory")),
    "look": _through_the_gateway(Visit("orders")),
    "order": _through_the_gateway(_PLACE),
    "charge": Visit("payments", 2, calls=(Visit(BANK),)),
}


@cache
def units(step: str) -> Mapping[str, int]:
    """service -> units of CPU that it spends on the whole step. Raises ValueError for an unknown step."""
    return _summed((visit.service, visit.units + visit.deliveries()) for visit in tree(step).everything())


@cache
def units_before_the_answer(step: str) -> Mapping[str, int]:
    """service -> units that the customer waits for. Raises ValueError for an unknown step."""
    return _summed((visit.service, visit.units) for visit in tree(step).answered())


def tree(step: str) -> Visit:
    """What the step does. Raises ValueError for an unknown step."""
    if step not in STEPS:
        raise ValueError(f"no step is called {step!r}; there are {', '.join(STEPS)}")
    return STEPS[step]


def _summed(pairs: Iterator[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for service, count in pairs:
        found[service] = found.get(service, 0) + count
    return found
