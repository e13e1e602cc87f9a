import threading

import pytest

from catalog.tests.helpers import LAMP, PRODUCTS, put, skus
from chassis.testing import eventually, published
from chassis.testing_postgres import on_both_databases

pytestmark = on_both_databases


def test_a_new_product_is_created_and_told(app, client):
    response = put(client, "LAMP")
    assert (response.status_code, response.json) == (201, {"sku": "LAMP", **LAMP})
    assert client.get(f"{PRODUCTS}/LAMP").json == response.json
    assert published(app) == [
        {
            "type": "product.changed", "subject": "LAMP", "subscriber": "inventory",
            "data": {"sku": "LAMP", "name": "Brass lamp", "price_cents": 4500, "currency": "EUR"},
        }
    ]  # fmt: skip


def test_a_replaced_product_is_told_once_for_each_change_and_not_for_the_same_again(app, client):
    put(client, "LAMP")
    assert put(client, "LAMP").status_code == 200
    assert len(published(app)) == 1
    response = put(client, "LAMP", price_cents=5000)
    assert (response.status_code, response.json["price_cents"]) == (200, 5000)
    assert [e["data"]["price_cents"] for e in published(app)] == [4500, 5000]


def test_products_are_listed_by_sku_page_after_page(client):
    for number in (3, 1, 5, 2, 4):
        put(client, f"S-{number}")
    first = client.get(f"{PRODUCTS}?limit=2").json
    second = client.get(f"{PRODUCTS}?limit=2&cursor={first['next']}").json
    third = client.get(f"{PRODUCTS}?limit=2&cursor={second['next']}").json
    pages = [[item["sku"] for item in page["items"]] for page in (first, second, third)]
    assert (pages, third["next"]) == ([["S-1", "S-2"], ["S-3", "S-4"], ["S-5"]], None)


def test_a_search_looks_in_name_and_description_without_regard_to_case(client):
    put(client, "A", name="Brass LAMP", description="for the wall")
    put(client, "B", name="Teapot", description="of BRASS")
    put(client, "C", name="Épices", description="de l'été")
    assert skus(client, "q=brass") == ["A", "B"]
    assert skus(client, "q=WALL+brass") == ["A"]
    assert skus(client, "q=ÉPICES") == ["C"]
    assert skus(client, "q=nothing") == []
    assert skus(client, "q=+") == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("q", "found"), [("100%25", ["A"]), ("%25", ["A"]), ("a_b", ["B"]), ("_", ["B"]), ("/", ["C"])]
)
def test_the_signs_that_a_database_takes_for_wildcards_mean_themselves(client, q, found):
    put(client, "A", name="100% wool")
    put(client, "B", name="a_b")
    put(client, "C", name="axb / abb")
    assert skus(client, f"q={q}") == found


def test_a_list_may_be_of_one_category(client):
    put(client, "A", category="Lamps")
    put(client, "B", category="Tea")
    assert skus(client, "category=Tea") == ["B"]
    assert skus(client, "category=tea") == []


def test_many_products_are_had_in_one_call_and_unknown_ones_are_left_out(client):
    for number in range(30):
        put(client, f"S-{number:02}")
    wanted = [f"S-{number:02}" for number in range(29)] + ["NONE", "S-00"]
    answer = client.get(PRODUCTS, query_string={"sku": wanted}).json
    assert [item["sku"] for item in answer["items"]] == wanted[:29]
    assert answer["next"] is None
    assert len(client.get(PRODUCTS, query_string={"sku": wanted, "limit": 5}).json["items"]) == 5


def test_the_categories_are_those_that_have_products(client):
    for sku, category in {"A": "Tea", "B": "Lamps", "C": "Tea"}.items():
        put(client, sku, category=category)
    answer = client.get("/api/catalog/categories?limit=1").json
    assert answer["items"] == [{"category": "Lamps", "products": 1}]
    following = client.get(f"/api/catalog/categories?cursor={answer['next']}").json
    assert following == {"items": [{"category": "Tea", "products": 2}], "next": None}


def test_of_many_who_create_the_same_product_at_once_one_creates_it(app, make_app):
    answers = _at_once([app, make_app()], 10, lambda client, number: put(client, "LAMP", price_cents=number + 1))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len(published(app)) == 10


def test_of_many_who_replace_the_version_that_they_know_one_succeeds(app, client, make_app):
    known = {"If-Match": put(client, "LAMP").headers["ETag"]}
    answers = _at_once(
        [app, make_app()], 10, lambda client, number: put(client, "LAMP", headers=known, price_cents=number + 1)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    assert len(published(app)) == 2


def test_of_many_who_create_only_if_there_is_none_one_succeeds(app, make_app):
    only_new = {"If-None-Match": "*"}
    answers = _at_once([app, make_app()], 10, lambda client, number: put(client, "LAMP", headers=only_new))
    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 9


def _at_once(replicas, times, ask):
    """The answers; a request that found the database busy is sent again."""
    answers, barrier = [], threading.Barrier(times)

    def send(number):
        client = replicas[number % len(replicas)].test_client()
        barrier.wait()

        def answered():
            response = ask(client, number)
            return None if response.status_code == 503 else response

        answers.append(eventually(answered, within_s=60))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == times
    return answers
