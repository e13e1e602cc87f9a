"""The books that the audit compares, and where they are read: over HTTP, as an operator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

Item = dict[str, Any]
PAGE = 1000
TIMEOUT_S = 10


class CannotCheck(Exception):
    """A book that the audit needs could not be read; the message says which and why."""


@dataclass(frozen=True)
class Books:
    """All that is compared, read once. Charges are the bank's; events are undelivered or dead in outboxes and queues.

    moving: the skus whose stock changed while the books were read, so that it fits no single moment.
    """

    orders: dict[str, Item]
    payments: dict[str, Item]
    reservations: dict[str, Item]
    stock: list[Item]
    movements: list[Item]
    charges: list[Item]
    events: list[Item]
    moving: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Source:
    """Where the books are: the gateway, the bank, and an instance of each service with an outbox, and with a queue at
    a broker (service -> address).

    session: reaches all of them, past any proxy of the user's, which is not for this machine and must not see tokens.
    """

    gateway: str
    operator_token: str
    bank: str
    outboxes: dict[str, str]
    service_token: Callable[[str], str]
    session: Callable[[], requests.Session]
    queues: dict[str, str] = field(default_factory=dict)

    def read(self) -> Books:
        """Read everything. Raises CannotCheck."""
        orders = {order["id"]: order for order in self._list("orders?scope=all")}
        before = {row["sku"]: row for row in self._list("inventory/stock")}
        reservations = {row["order_id"]: row for row in self._list("inventory/reservations")}
        movements = list(self._list("inventory/movements"))
        stock = list(self._list("inventory/stock"))
        return Books(
            orders=orders,
            payments={payment["order_id"]: payment for payment in self._list("payments")},
            reservations=reservations,
            stock=stock,
            movements=movements,
            charges=list(self._pages(f"{self.bank}/charges", "")),
            events=list(self._undelivered()),
            moving=frozenset(row["sku"] for row in stock if row != before.get(row["sku"])),
        )

    def _list(self, path: str) -> Iterator[Item]:
        return self._pages(f"{self.gateway}/api/{path}", self.operator_token)

    def _undelivered(self) -> Iterator[Item]:
        for service, address in self.outboxes.items():
            for state in ("pending", "dead"):
                for event in self._pages(f"{address}/internal/events?state={state}", self.service_token(service)):
                    yield {**event, "service": service}
        for service, address in self.queues.items():
            for event in self._pages(f"{address}/internal/queue", self.service_token(service)):
                yield {**event, "service": service}

    def _pages(self, url: str, token: str) -> Iterator[Item]:
        cursor = None
        session = self.session()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        while True:
            params = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
            try:
                response = session.get(url, params=params, headers=headers, timeout=TIMEOUT_S)
                response.raise_for_status()
                page = response.json()
                items, cursor = page["items"], page["next"]
            except (requests.RequestException, ValueError, KeyError, TypeError) as error:
                raise CannotCheck(f"cannot read {url}: {error or type(error).__name__}") from error
            yield from items
            if cursor is None:
                return
