"""What the bank's answers, good and nasty, mean."""

import socket
import threading

import pytest

from payments.clients import Bank
from payments.domain import Answer
from payments.tests.helpers import GOOD

CHARGE = ("charge-1", 1_500, "EUR", GOOD, "order-1")


@pytest.fixture
def client_of(make_app):
    def client(address=None, timeout_s=5.0):
        app = make_app(**({"neighbours": {"bank": address}} if address else {}))
        return Bank(app.extensions["souk.calls"], timeout_s)

    return client


@pytest.fixture
def listener():
    """A port on which nobody answers yet."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def read_request(connection):
    """One request, whose body ends with a brace; it may come in several pieces."""
    received = b""
    while not received.endswith(b"}"):
        received += connection.recv(65_536)


def address_of(server):
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_charge_carries_its_key_and_all_that_the_bank_needs(bank_server, client_of):
    bank_server.answers["POST", "/charges"] = (201, {"state": "CAPTURED"})
    assert client_of().charge(*CHARGE) is Answer.CAPTURED
    (_, _, headers, body) = bank_server.requests[0]
    assert headers["Idempotency-Key"] == "charge-1"
    assert body == {"amount_cents": 1_500, "currency": "EUR", "card": GOOD, "reference": "order-1"}


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (201, {"state": "CAPTURED"}, Answer.CAPTURED),
        (201, {"state": "DECLINED"}, Answer.DECLINED),
        (201, {"state": "NOTHING_DONE"}, Answer.UNCLEAR),
        (201, {"state": "SURPRISE"}, Answer.UNCLEAR),
        (201, ["CAPTURED"], Answer.UNCLEAR),
        (200, {}, Answer.UNCLEAR),
        (301, {}, Answer.UNCLEAR),
        (404, {}, Answer.NOTHING_DONE),
        (409, {}, Answer.CONFLICT),
        (422, {}, Answer.NOTHING_DONE),
        (500, {}, Answer.UNCLEAR),
        (502, {}, Answer.UNCLEAR),
        (503, {}, Answer.NOTHING_DONE),
        (504, {}, Answer.UNCLEAR),
    ],
)
def test_what_an_answer_to_a_charge_means(bank_server, client_of, status, body, answer):
    bank_server.answers["POST", "/charges"] = (status, body)
    assert client_of().charge(*CHARGE) is answer
    assert len(bank_server.requests) == 1  # nothing below repeats it


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (201, {"state": "REFUNDED"}, Answer.REFUNDED),
        (404, {}, Answer.NOTHING_DONE),
        (409, {}, Answer.CONFLICT),
        (500, {}, Answer.UNCLEAR),
    ],
)
def test_what_an_answer_to_a_refund_means(bank_server, client_of, status, body, answer):
    bank_server.answers["POST", "/refunds"] = (status, body)
    assert client_of().refund("refund-1", "charge-1") is answer
    assert bank_server.requests[0][3] == {"charge_key": "charge-1"}


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, {"state": "CAPTURED"}, Answer.CAPTURED),
        (200, {"state": "REFUNDED"}, Answer.REFUNDED),
        (200, {"state": "SURPRISE"}, None),
        (404, {}, None),
        (503, {}, None),
    ],
)
def test_what_a_look_at_a_charge_tells(bank_server, client_of, status, body, answer):
    bank_server.answers["GET", "/charges/charge-1"] = (status, body)
    assert client_of().look("charge-1") is answer


def test_no_answer_in_time_is_unclear(listener, client_of):
    bank = client_of(address_of(listener), timeout_s=0.1)
    assert bank.charge(*CHARGE) is Answer.UNCLEAR
    assert bank.look("charge-1") is None


def test_a_connection_that_closes_in_the_middle_is_unclear(listener, client_of):
    def hang_up():
        connection, _ = listener.accept()
        read_request(connection)
        connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    assert client_of(address_of(listener)).charge(*CHARGE) is Answer.UNCLEAR
    thread.join()


def test_a_charge_is_not_repeated_behind_our_back_when_a_kept_connection_closes(listener, client_of):
    answer = b'HTTP/1.1 201 Created\r\nContent-Length: 21\r\n\r\n{"state": "CAPTURED"}'

    def serve():
        first, _ = listener.accept()
        with first:
            read_request(first)
            first.sendall(answer)
            read_request(first)  # the second charge, perhaps done, but never answered
        listener.settimeout(1)
        try:
            again, _ = listener.accept()
        except TimeoutError:
            return
        with again:
            read_request(again)
            again.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    bank = client_of(address_of(listener))
    assert [bank.charge(*CHARGE) for _ in range(2)] == [Answer.CAPTURED, Answer.UNCLEAR]
    thread.join()


def test_a_request_that_was_never_sent_has_done_nothing(client_of):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address_of(server)
    bank = client_of(address)
    assert bank.charge(*CHARGE) is Answer.NOTHING_DONE
    assert bank.look("charge-1") is None


def test_without_a_bank_in_the_registry_nothing_is_done(make_app):
    calls = make_app(neighbours={}).extensions["souk.calls"]
    assert Bank(calls, 1.0).charge(*CHARGE) is Answer.NOTHING_DONE


def test_an_open_breaker_sends_nothing(bank_server, client_of):
    bank_server.answers["POST", "/charges"] = (500, {})
    bank = client_of()
    answers = [bank.charge(*CHARGE) for _ in range(40)]
    assert answers[0] is Answer.UNCLEAR
    assert answers[-1] is Answer.NOTHING_DONE
    assert len(bank_server.requests) < 40
