import threading

import pytest

from carts.tests.helpers import ADA, MINE, cart, deliver, placed, put
from chassis.testing import assert_problem, eventually
from chassis.testing_postgres import on_both_databases

pytestmark = on_both_databases


def test_what_is_put_into_the_cart_is_in_it_at_todays_price(client, catalog):
    put(client, "TEA", 2)
    answer = put(client, "LAMP", 1)
    expected = {
        "items": [
            {"sku": "TEA", "name": "A TEA", "quantity": 2, "price_cents": 350},
            {"sku": "LAMP", "name": "A LAMP", "quantity": 1, "price_cents": 4500},
        ],
        "total_cents": 5200, "currency": "EUR", "stale": False,
    }  # fmt: skip
    assert (answer.status_code, answer.json) == (200, expected)
    assert client.get(MINE, headers=ADA).json == expected
    catalog.prices["TEA"] = 400
    assert client.get(MINE, headers=ADA).json["total_cents"] == 5300


def test_putting_sets_the_quantity_and_does_not_add_to_it(client):
    put(client, "TEA", 5)
    put(client, "TEA", 2)
    assert cart(client) == {"TEA": 2}


def test_what_is_taken_out_is_gone_and_taking_it_out_again_is_fine(client):
    put(client, "TEA")
    put(client, "LAMP")
    for _ in range(2):
        answer = client.delete(f"{MINE}/items/TEA", headers=ADA)
        assert (answer.status_code, [item["sku"] for item in answer.json["items"]]) == (200, ["LAMP"])


def test_everybody_has_a_cart_of_their_own(client):
    put(client, "TEA", customer="ada")
    put(client, "LAMP", customer="bob")
    assert (cart(client, "ada"), cart(client, "bob"), cart(client, "eve")) == ({"TEA": 1}, {"LAMP": 1}, {})


def test_an_empty_cart_costs_nothing_and_asks_nobody(client, catalog):
    answer = client.get(MINE, headers=ADA).json
    assert answer == {"items": [], "total_cents": 0, "currency": "EUR", "stale": False}
    assert catalog.requests == []


def test_the_whole_cart_is_priced_in_one_call(client, catalog):
    for number in range(30):
        put(client, f"S-{number:02}")
    catalog.requests.clear()
    assert len(cart(client)) == 30
    assert len(catalog.requests) == 1


def test_a_product_that_the_catalog_does_not_know_is_a_404_and_not_in_the_cart(client):
    assert_problem(put(client, "NONE"), 404)
    assert cart(client) == {}


def test_while_the_catalog_is_away_the_cart_answers_with_the_last_prices_known_and_says_so(client, catalog):
    put(client, "TEA", 2)
    catalog.away = True
    answer = client.get(MINE, headers=ADA)
    assert (answer.status_code, answer.json["total_cents"], answer.json["stale"]) == (200, 700, True)
    assert answer.json["items"][0]["name"] == "A TEA"
    catalog.away = False
    assert client.get(MINE, headers=ADA).json["stale"] is False


def test_while_the_catalog_is_away_the_cart_can_be_changed_but_nothing_new_comes_in(client, catalog):
    put(client, "TEA", 2)
    catalog.away = True
    answer = put(client, "TEA", 3)
    assert (answer.status_code, answer.json["total_cents"], answer.json["stale"]) == (200, 1050, True)
    assert_problem(put(client, "LAMP"), 503)
    assert client.delete(f"{MINE}/items/TEA", headers=ADA).status_code == 200
    assert cart(client) == {}


@pytest.mark.parametrize("answer", [(500, {}), (404, {}), (200, {"items": "nonsense"}), (200, [])])
def test_a_catalog_that_talks_nonsense_is_as_good_as_away(client, catalog, answer):
    put(client, "TEA", 2)
    catalog.answers["GET", "/api/catalog/products"] = answer
    assert client.get(MINE, headers=ADA).json["stale"] is True


def test_without_any_catalog_in_the_registry_the_cart_answers_all_the_same(client, make_app):
    put(client, "TEA", 2)
    alone = make_app(neighbours={}).test_client()
    assert alone.get(MINE, headers=ADA).json["stale"] is True


def test_a_catalog_that_is_too_slow_is_not_waited_for(client, catalog, make_app):
    put(client, "TEA", 2)
    released = threading.Event()
    catalog.answers["GET", "/api/catalog/products"] = lambda _body: (released.wait(60), (200, {"items": []}))[1]
    hurried = make_app(catalog_timeout_s=0.2).test_client()
    assert hurried.get(MINE, headers=ADA).json["stale"] is True
    assert not released.is_set()
    released.set()


def test_a_cart_has_room_for_fifty_products(client):
    for number in range(50):
        assert put(client, f"S-{number:02}").status_code == 200
    assert_problem(put(client, "LAMP"), 409)
    assert put(client, "S-07", 9).status_code == 200
    client.delete(f"{MINE}/items/S-07", headers=ADA)
    assert put(client, "LAMP").status_code == 200


def test_many_at_once_on_two_replicas_do_not_overfill_the_cart(app, client, make_app):
    for number in range(45):
        put(client, f"S-{number:02}")
    replicas, statuses, barrier = [app, make_app()], [], threading.Barrier(12)

    def send(number):
        client = replicas[number % 2].test_client()
        barrier.wait()
        # 503 is "busy, try again", and the customer does
        answer = eventually(lambda: _unless_busy(put(client, f"S-{45 + number:02}")), within_s=60)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [409] * 7
    assert len(cart(client)) == 50


def _unless_busy(response):
    return None if response.status_code == 503 else response


def test_what_was_ordered_leaves_the_cart_and_what_was_not_stays(client):
    put(client, "TEA", 5)
    put(client, "LAMP", 1)
    put(client, "S-01", 1)
    deliver(client, placed(("TEA", 2), ("LAMP", 3), ("S-09", 1)))
    assert cart(client) == {"TEA": 3, "S-01": 1}


def test_an_order_empties_nobody_elses_cart(client):
    put(client, "TEA", 5)
    deliver(client, placed(("TEA", 5), customer="bob"))
    assert (cart(client, "ada"), cart(client, "bob")) == ({"TEA": 5}, {})


def test_an_order_that_is_heard_of_twice_leaves_the_cart_once(client):
    put(client, "TEA", 5)
    order = placed(("TEA", 2))
    deliver(client, order, order)
    assert cart(client) == {"TEA": 3}


def test_an_order_heard_of_on_two_replicas_at_once_leaves_the_cart_once(app, client, make_app):
    put(client, "TEA", 50)
    replicas, order, barrier = [app, make_app()], placed(("TEA", 2)), threading.Barrier(8)

    def send(number):
        barrier.wait()
        replica = replicas[number % 2].test_client()
        eventually(lambda: _delivered(replica, order), within_s=60)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cart(client) == {"TEA": 48}


def _delivered(client, order):
    try:
        deliver(client, order)
    except AssertionError:
        return False  # the database was busy; the relay would send it again
    return True
