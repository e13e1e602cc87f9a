"""The rules of a cart. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chassis.errors import Conflict, NotFound

SKU = "^[A-Z0-9-]{1,32}$"
MOST_LINES = 50  # as many as one order may have
MOST_PIECES = 1000  # of one line; likewise


@dataclass(frozen=True)
class Product:
    """What the catalog says of a product."""

    sku: str
    name: str
    price_cents: int
    currency: str


@dataclass(frozen=True)
class Line:
    product: Product
    quantity: int


@dataclass(frozen=True)
class Cart:
    """Lines in the order in which they were put in. stale: some name or price is not the catalog's of now."""

    lines: list[Line]
    stale: bool

    @property
    def total_cents(self) -> int:
        return sum(line.quantity * line.product.price_cents for line in self.lines)


def check_sku(sku: str) -> None:
    """Raises NotFound for a sku that no product can have."""
    if re.fullmatch(SKU, sku) is None:
        raise NotFound(f"there is no product {sku}")


def check_room(lines: int) -> None:
    """Whether one more line fits. Raises Conflict."""
    if lines >= MOST_LINES:
        raise Conflict(f"a cart holds at most {MOST_LINES} different products; take one out first")


def priced(kept: Iterable[Line], now: Mapping[str, Product] | None) -> Cart:
    """The cart at the prices of `now`; None when nobody could be asked, and then at those that were kept."""
    lines, stale = [], False
    for line in kept:
        product = (now or {}).get(line.product.sku)
        stale = stale or product is None
        lines.append(Line(product or line.product, line.quantity))
    return Cart(lines, stale)


def without(quantities: Mapping[str, int], ordered: Iterable[tuple[str, int]]) -> dict[str, int]:
    """What is left of these skus after an order; 0 for a line that goes. Skus that were not ordered are not in it."""
    left: Counter[str] = Counter(dict(quantities))
    gone: Counter[str] = Counter()
    for sku, quantity in ordered:
        gone[sku] += quantity
    return {sku: max(0, left[sku] - quantity) for sku, quantity in gone.items() if sku in quantities}
