import pytest

from chassis.testing import (
    as_operator,
    as_service,
    as_user,
    assert_problem,
    bad_bodies,
    bad_service_tokens,
    bad_tokens,
)
from chassis.testing_postgres import on_both_databases
from inventory.tests.helpers import API, count, deliver, order, read_all, stock

LAMP = f"{API}/stock/LAMP"
LISTS = ("stock", "reservations", "movements")


def test_anybody_reads_how_many_there_are_and_how_many_can_be_ordered(client):
    count(client, "LAMP", 10)
    deliver(client, order("order.placed", "o1", ("LAMP", 3)))
    assert client.get(LAMP).json == {"sku": "LAMP", "on_hand": 10, "reserved": 3, "available": 7}


@on_both_databases
@pytest.mark.parametrize("sku", ["NONE", "lamp", "L%20P", "%00", "A" * 33, "%FF"])
def test_unknown_stock_is_a_404(client, sku):
    assert_problem(client.get(f"{API}/stock/{sku}"), 404)


def test_an_operator_counts_and_the_difference_is_a_movement(client):
    assert count(client, "LAMP", 10).status_code == 201
    answer = count(client, "LAMP", 4)
    assert (answer.status_code, answer.json["on_hand"]) == (200, 4)
    assert count(client, "LAMP", 4).status_code == 200
    movements = read_all(client, "movements")
    assert [(m["kind"], m["on_hand_delta"], m["operator"]) for m in movements] == [
        ("COUNTED", 10, "operator-1"), ("COUNTED", -6, "operator-1"),
    ]  # fmt: skip


def test_counting_below_what_is_reserved_is_a_conflict(client):
    count(client, "LAMP", 10)
    deliver(client, order("order.placed", "o1", ("LAMP", 3)))
    assert_problem(count(client, "LAMP", 2), 409)
    assert stock(client, "LAMP") == (10, 3)
    assert count(client, "LAMP", 3).json == {"sku": "LAMP", "on_hand": 3, "reserved": 3, "available": 0}


def test_a_reservation_tells_what_was_wanted_and_what_became_of_it(client):
    count(client, "LAMP", 1)
    deliver(client, order("order.placed", "o1", ("LAMP", 1)), order("order.placed", "o2", ("LAMP", 1)))
    first, second = read_all(client, "reservations")
    assert (first["order_id"], first["state"], first["lines"]) == ("o1", "RESERVED", [{"sku": "LAMP", "quantity": 1}])
    assert (second["order_id"], second["state"], second["missing_sku"]) == ("o2", "REJECTED", "LAMP")
    assert first["created_at"].endswith(("Z", "+00:00"))


def test_the_books_can_be_asked_for_one_order_one_sku_or_one_state(client):
    for sku in ("LAMP", "TEA"):
        count(client, sku, 10)
    deliver(client, order("order.placed", "o1", ("LAMP", 1)), order("order.placed", "o2", ("TEA", 1)))
    deliver(client, order("order.cancelled", "o2", ("TEA", 1)))

    def ask(query):
        return client.get(f"{API}/{query}", headers=as_operator()).json["items"]

    assert [row["order_id"] for row in ask("reservations?order_id=o2")] == ["o2"]
    assert [row["order_id"] for row in ask("reservations?state=RESERVED")] == ["o1"]
    assert [row["kind"] for row in ask("movements?sku=TEA")] == ["COUNTED", "RESERVED", "RELEASED"]
    assert [row["sku"] for row in ask("movements?order_id=o1")] == ["LAMP"]


@pytest.mark.parametrize("book", LISTS)
def test_a_list_page_by_page_is_the_whole_list(client, book):
    for number in range(5):
        count(client, f"SKU-{number}", 1)
        deliver(client, order("order.placed", f"o{number}", (f"SKU-{number}", 1)))
    whole = read_all(client, book)
    assert len(whole) >= 5
    assert read_all(client, book, limit=2) == whole


@pytest.mark.parametrize("book", LISTS)
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"]
)
def test_a_bad_page_is_refused(client, book, query):
    assert_problem(client.get(f"{API}/{book}?{query}", headers=as_operator()), 422)


@on_both_databases
@pytest.mark.parametrize(
    "query", ["reservations?state=OPEN", "movements?sku=a", "movements?order_id=%00", "reservations?order_id="]
)
def test_a_bad_filter_is_refused_and_an_unknown_one_ignored(client, query):
    assert_problem(client.get(f"{API}/{query}", headers=as_operator()), 422)
    assert client.get(f"{API}/{query.partition('?')[0]}?unknown=1", headers=as_operator()).status_code == 200


@pytest.mark.parametrize("book", LISTS)
def test_the_books_are_for_operators(client, book):
    assert_problem(client.get(f"{API}/{book}"), 401)
    assert_problem(client.get(f"{API}/{book}", headers=as_user()), 403)


@pytest.mark.parametrize("sku", ["lamp", "L%20P", "A" * 33])
def test_stock_of_what_can_be_no_product_is_refused_with_the_field(client, sku):
    response = client.put(f"{API}/stock/{sku}", json={"on_hand": 1}, headers=as_operator())
    assert assert_problem(response, 422)["errors"][0]["field"] == "sku"


def test_only_an_operator_may_count(client):
    assert_problem(client.put(LAMP, json={"on_hand": 1}, headers=as_user()), 403)


@pytest.mark.parametrize("body", bad_bodies({"on_hand": 10}), ids=lambda body: body.name)
def test_a_bad_body_is_refused(client, body):
    response = client.put(LAMP, data=body.raw, content_type=body.content_type, headers=as_operator())
    assert_problem(response, body.status)


@pytest.mark.parametrize("wrong", bad_tokens())
def test_a_bad_token_is_refused(client, wrong):
    assert_problem(client.put(LAMP, json={"on_hand": 1}, headers=bad_tokens()[wrong]), 401)


@pytest.mark.parametrize("wrong", bad_service_tokens("inventory"))
def test_events_are_taken_from_our_own_services_only(client, wrong):
    headers = bad_service_tokens("inventory")[wrong]
    assert_problem(client.post("/events", json=order("order.placed", "o1", ("LAMP", 1)), headers=headers), 401)


@on_both_databases
@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("order.placed", {}),
        ("order.placed", {"order_id": "o1", "lines": []}),
        ("order.placed", {"order_id": "o1", "lines": [{"sku": "LAMP", "quantity": 0}]}),
        ("order.placed", {"order_id": "o1", "lines": [{"sku": "LAMP", "quantity": 10**30}]}),
        ("order.placed", {"order_id": "o1", "lines": [{"sku": "no sku", "quantity": 1}]}),
        ("order.placed", {"order_id": "\x00", "lines": [{"sku": "LAMP", "quantity": 1}]}),
        ("order.placed", {"order_id": "o" * 65, "lines": [{"sku": "LAMP", "quantity": 1}]}),
        ("order.confirmed", {"order_id": "o1"}),
        ("order.cancelled", {}),
        ("product.changed", {"sku": "no sku"}),
        ("order.unheard_of", {}),
    ],
)
def test_an_event_that_is_not_as_agreed_is_refused_and_changes_nothing(client, type_, data):
    body = {**order(type_, "o1"), "data": data}
    assert_problem(client.post("/events", json=body, headers=as_service("inventory")), 422)
    assert read_all(client, "reservations") == []


def test_members_of_an_event_that_we_do_not_know_are_ignored(client):
    count(client, "LAMP", 1)
    deliver(client, {**order("order.placed", "o1", ("LAMP", 1), gift=True), "dataschema": "v9"})
    assert stock(client, "LAMP") == (1, 1)


@pytest.mark.parametrize(("method", "path"), [("POST", LAMP), ("DELETE", LAMP), ("POST", f"{API}/movements")])
def test_a_wrong_method_is_a_405(client, method, path):
    assert_problem(client.open(path, method=method, headers=as_operator()), 405)


def test_the_documentation_is_public_and_complete(client):
    paths = client.get(f"{API}/openapi.json").json["paths"]
    assert {f"{API}/stock/{{sku}}", f"{API}/stock", f"{API}/reservations", f"{API}/movements"} <= set(paths)
    answer = paths[f"{API}/reservations"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/ReservationList"}
