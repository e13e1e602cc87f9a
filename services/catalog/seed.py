"""The first products: made by rule from word lists, the same on every machine, as many as SEED_PRODUCTS says.

Inventory seeds the same skus by the same rule. What is there already is left alone, so an operator's changes
survive another seed.
"""

from collections.abc import Iterator
from typing import Any

from catalog.seed_words import SHELVES, STALLS, Shelf
from catalog.settings import Settings
from catalog.usecases import add_missing
from chassis.database import Database


def seed(settings: Settings) -> None:
    """Add the products that are missing."""
    database = Database(settings.database)
    add_missing(database, products(settings.seed_products))
    database.engine.dispose()


def products(count: int) -> Iterator[dict[str, Any]]:
    """The first `count` products, one shelf after the other, so that any first page has something of all."""
    for number in range(count):
        shelf = SHELVES[number % len(SHELVES)]
        yield {"sku": f"SOUK-{number + 1:06}", "currency": "EUR", **_product(shelf, number // len(SHELVES))}


def _product(shelf: Shelf, turn: int) -> dict[str, Any]:
    """The product for this turn of a shelf. All combinations of its words come up before one comes again."""
    turn, thing = divmod(turn, len(shelf.things))
    turn, size = divmod(turn, len(shelf.sizes))
    round_, style = divmod(turn, len(shelf.styles))
    # Shifted by one another, so that neighbours differ in every word and not only in the first.
    size = (size + thing) % len(shelf.sizes)
    style = (style + 11 * thing) % len(shelf.styles)
    stall = STALLS[(7 * thing + style + round_) % len(STALLS)]
    (noun, cents), (size_word, size_percent), (style_word, style_percent) = (
        shelf.things[thing], shelf.sizes[size], shelf.styles[style],
    )  # fmt: skip
    name = f"{style_word} {noun}, {size_word}" + (f", no. {round_ + 1}" if round_ else "")
    return {
        "name": name,
        "description": f"{shelf.description} From {stall}.",
        "category": shelf.category,
        "price_cents": _pleasant(cents * size_percent * style_percent // 10_000),
    }


def _pleasant(cents: int) -> int:
    """A price as it stands on a label: 4.90, 12.40, 349.00."""
    if cents < 10_000:
        return max(90, (cents + 25) // 50 * 50 - 10)
    return (cents + 250) // 500 * 500 - 100
