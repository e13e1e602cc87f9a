"""The workers as they run: threads, the bank over HTTP, and a bank that does not answer."""

import threading
from contextlib import contextmanager

import pytest

from chassis.background import Periodic
from chassis.testing import as_service, event, eventually, published
from chassis.testing_postgres import on_both_databases
from payments.tests.helpers import DECLINED, MemoryBank, cancelled, request_data, requested, state, take
from payments.worker import Workers

ENDS = {"CAPTURED", "DECLINED", "VOIDED", "REFUNDED"}


@contextmanager
def working(app, bank=None):
    """The workers of an application; `bank` stands in for the one over HTTP."""
    (workers,) = [b for b in app.extensions["souk.background"] if isinstance(b, Workers)]
    workers.bank = bank or workers.bank
    workers.start()
    try:
        yield workers
    finally:
        workers.stop()


def post(client, type_, **data):
    message = event(type_, data["order_id"], **data)
    return client.post("/events", json=message, headers=as_service("payments"))


def test_an_event_is_all_it_takes(app, client, bank_server):
    bank_server.answers["POST", "/charges"] = (201, {"state": "CAPTURED"})
    with working(app):
        assert post(client, "payment.requested", **request_data()).status_code == 204
        eventually(lambda: state(app) == "CAPTURED")
    assert [e["type"] for e in published(app)] == ["payment.captured"]


def test_a_bank_that_fails_at_first_is_asked_until_it_answers(app, client, bank_server):
    answers = iter([(500, {}), (503, {}), (500, {}), (201, {"state": "CAPTURED"})])
    bank_server.answers["POST", "/charges"] = lambda _body: next(answers)
    with working(app):
        post(client, "payment.requested", **request_data())
        eventually(lambda: state(app) == "CAPTURED")
    keys = {headers["Idempotency-Key"] for method, _, headers, _ in bank_server.requests if method == "POST"}
    assert keys == {"charge-order-1"}


def test_the_bank_sees_the_trace_of_the_order(app, client, bank_server):
    bank_server.answers["POST", "/charges"] = (201, {"state": "CAPTURED"})
    trace_id = "0123456789abcdef0123456789abcdef"
    headers = as_service("payments") | {"traceparent": f"00-{trace_id}-0123456789abcdef-01"}
    with working(app):
        client.post("/events", json=event("payment.requested", "order-1", **request_data()), headers=headers)
        eventually(lambda: state(app) == "CAPTURED")
    assert trace_id in bank_server.requests[0][2]["traceparent"]


def test_a_bank_that_hangs_holds_up_neither_health_nor_events(make_app, bank_server):
    app = make_app(workers=2, bank_timeout_ms=60_000)
    client, let_go = app.test_client(), threading.Event()

    def hang(_body):
        let_go.wait(60)
        return 201, {"state": "CAPTURED"}

    bank_server.answers["POST", "/charges"] = hang
    with working(app):
        for number in range(6):
            answer = post(client, "payment.requested", **request_data(f"order-{number}"))
            assert answer.status_code == 204
        eventually(lambda: len(bank_server.requests) == 2)  # as many as there are workers
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        assert post(client, "order.cancelled", order_id="order-5").status_code == 204
        assert state(app, "order-5") == "VOIDED"
        let_go.set()
        eventually(lambda: [state(app, f"order-{number}") for number in range(5)] == ["CAPTURED"] * 5)
    assert len(bank_server.requests) == 5


def test_payments_of_a_stopped_replica_go_on_at_the_next(make_app):
    first, second, bank = make_app(), make_app(), MemoryBank()
    with working(first, bank):
        pass
    take(first, requested())
    with working(second, bank):
        eventually(lambda: state(second) == "CAPTURED")


def test_while_the_bank_is_away_one_payment_is_tried_for_all(make_app, bank_server, monkeypatch):
    monkeypatch.setattr(Periodic, "start", lambda _self: None)  # it looks when the test says so
    app = make_app()
    bank_server.answers["POST", "/charges"] = (503, {})
    orders = [f"order-{number}" for number in range(40)]
    for order_id in orders:
        take(app, requested(order_id))
    with working(app) as workers:

        def look():
            before = len(bank_server.requests)
            workers.look()
            eventually(lambda: workers._busy == 0)
            return len(bank_server.requests) - before

        assert look() == workers.count
        while not workers._in_trouble():
            look()
        assert [look() for _ in range(3)] == [1, 1, 1]
        bank_server.answers["POST", "/charges"] = (201, {"state": "CAPTURED"})
        assert [look(), look()] == [1, workers.count]
        eventually(lambda: not look() and all(state(app, order_id) == "CAPTURED" for order_id in orders))


@on_both_databases
@pytest.mark.parametrize("seed", range(3))
def test_three_replicas_and_many_threads_charge_each_order_once(make_app, seed):
    """Events of each order go to any replica, twice and in any order, while the workers of all three run."""
    bank, apps = MemoryBank(), [make_app() for _ in range(3)]
    orders = [f"order-{number}" for number in range(24)]
    messages = []
    for number, order_id in enumerate(orders):
        card = DECLINED if number % 8 == 7 else "4242424242424242"
        messages += [requested(order_id, id_=f"r-{order_id}", card=card)] * 2
        if number % 2:
            messages += [cancelled(order_id, id_=f"c-{order_id}")] * 2
    start = threading.Barrier(6)

    def deliver(share):
        start.wait()
        for number, message in enumerate(share):
            take(apps[number % 3], message)

    with working(apps[0], bank), working(apps[1], bank), working(apps[2], bank):
        shuffled = messages[seed::2] + messages[1 - seed % 2 :: 2]
        threads = [threading.Thread(target=deliver, args=(shuffled[part::6],)) for part in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: all(state(apps[0], order_id) in ENDS for order_id in orders), within_s=60)
    states = {order_id: state(apps[0], order_id) for order_id in orders}
    assert len(bank.references) == len(set(bank.references))
    kept = sorted(key.removeprefix("charge-") for key, standing in bank.charges.items() if standing == "CAPTURED")
    assert kept == sorted(order_id for order_id in orders if states[order_id] == "CAPTURED")
    for number, order_id in enumerate(orders):
        assert (states[order_id] == "CAPTURED") == (number % 2 == 0)
    told = [(e["type"], e["subject"]) for e in published(apps[0])]
    assert len(told) == len(set(told))
    assert sorted(s for t, s in told if t == "payment.refunded") == sorted(
        order_id for order_id in orders if states[order_id] == "REFUNDED"
    )
