from collections import Counter
from itertools import islice

from catalog.domain import is_sku
from catalog.schemas import ProductWritten
from catalog.seed import products, seed
from catalog.settings import Settings
from catalog.tests.helpers import PRODUCTS, put
from chassis.testing import published
from chassis.testing_postgres import on_both_databases


def test_the_seed_has_enough_products_in_enough_categories():
    made = list(products(Settings(seed_products=144).seed_products))
    assert len(made) == 144
    assert set(Counter(product["category"] for product in made).values()) == {12}


def test_seeded_products_are_such_as_an_operator_could_write():
    for product in products(5_000):
        assert is_sku(product["sku"])
        ProductWritten.model_validate({name: value for name, value in product.items() if name != "sku"})


def test_seeded_products_are_the_same_every_time_and_none_is_there_twice():
    made = list(products(5_000))
    assert made == list(products(5_000))
    assert made[:144] == list(products(144))
    assert len({product["sku"] for product in made}) == len({product["name"] for product in made}) == 5_000
    assert made[0]["sku"] == "SOUK-000001"


def test_prices_are_those_of_a_market():
    assert all(90 <= product["price_cents"] <= 500_000 for product in islice(products(5_000), 5_000))


@on_both_databases
def test_a_seed_adds_what_is_missing_keeps_what_is_there_and_says_nothing(app, client, tmp_path, database_url):
    put(client, "SOUK-000002", name="Changed by an operator")
    told = published(app)
    settings = Settings(souk_home=tmp_path, database_url=database_url, seed_products=3)
    for _ in range(2):
        seed(settings)
    items = client.get(PRODUCTS).json["items"]
    assert [item["sku"] for item in items] == ["SOUK-000001", "SOUK-000002", "SOUK-000003"]
    assert items[1]["name"] == "Changed by an operator"
    assert published(app) == told


def test_a_seed_of_none_is_fine(app, client, tmp_path, database_url):
    seed(Settings(souk_home=tmp_path, database_url=database_url, seed_products=0))
    assert client.get(PRODUCTS).json == {"items": [], "next": None}
