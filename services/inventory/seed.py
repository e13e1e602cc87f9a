"""The first stock: SEED_STOCK pieces of each of the SEED_PRODUCTS products that catalog seeds by the same rule."""

from chassis.database import Database
from inventory.counting import add_missing
from inventory.settings import Settings


def seed(settings: Settings) -> None:
    """Add the stock that is missing. Emits nothing."""
    skus = (f"SOUK-{number + 1:06}" for number in range(settings.seed_products))
    database = Database(settings.database)
    add_missing(database, skus, settings.seed_stock)
    database.engine.dispose()
