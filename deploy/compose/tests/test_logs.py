"""What containers have written, as lines: whole, by time, and with the time of the engine where they have none."""

import json
import threading

from deploy.compose import logs
from deploy.local.errors import Refused


def container(service, number=1, runs=True):
    labels = {"com.docker.compose.service": service, "com.docker.compose.container-number": str(number)}
    return {"Id": f"{service}-{number}", "Config": {"Labels": labels}, "State": {"Running": runs}}


class Engine:
    """Each container's log, in the pieces in which the engine sends it."""

    def __init__(self, **pieces):
        self.pieces, self.asked = pieces, []

    def log(self, id, **options):
        self.asked.append((id, options))
        yield from self.pieces[id.partition("-")[0]]


def said(second, event, **fields):
    line = {"timestamp": f"2030-01-01T00:00:{second:02d}Z", "service": "orders", "event": event, **fields}
    return f"2030-01-01T00:00:{second:02d}.500000000Z {json.dumps(line)}\n".encode()


POSTGRES = b"2030-01-01T00:00:02.123456789Z ready to accept connections\n"


def test_all_lines_come_in_the_order_of_time_and_strangers_have_the_engines():
    engine = Engine(orders=[said(1, "one"), said(3, "three")], postgres=[POSTGRES])
    found = list(logs.merged(engine, [container("orders"), container("postgres")]))
    assert [(line.source, line.text) for line in found] == [
        ("orders", "one"), ("postgres-1", "ready to accept connections"), ("orders", "three"),
    ]  # fmt: skip
    assert found[1].at == "2030-01-01T00:00:02.123456"


def test_a_line_in_pieces_is_one_line():
    whole = said(1, "a long one", much="x" * 100)
    engine = Engine(orders=[whole[:50], whole[50:] + said(2, "two")[:10], said(2, "two")[10:-1]])
    assert [line.fields["event"] for line in logs.merged(engine, [container("orders")])] == ["a long one", "two"]


def test_only_what_is_wanted_is_kept_and_no_noise():
    engine = Engine(orders=[said(1, "request", path="/healthz"), said(2, "placed", order_id="o-7"), said(3, "other")])
    keep = list(logs.merged(engine, [container("orders")], lambda text: "o-7" in text))
    assert [line.fields["event"] for line in keep] == ["placed"]
    assert len(list(logs.merged(engine, [container("orders")]))) == 2


def test_lines_since_a_moment_are_as_they_were_written():
    engine = Engine(postgres=[POSTGRES])
    assert logs.since(engine, "postgres-1", 7.5) == [b"ready to accept connections"]
    assert engine.asked == [("postgres-1", {"follow": False, "since": 7.5})]


def test_the_end_of_a_log_is_readable():
    engine = Engine(orders=[said(1, "it breaks", exception="Traceback:\n  x\nOops")])
    assert logs.tail(engine, "orders-1").splitlines()[-1].strip() == "Oops"
    assert "it said nothing" in logs.tail(Engine(orders=[]), "orders-1")


def test_following_hears_containers_that_appear_and_outlives_those_that_go(monkeypatch):
    monkeypatch.setattr(logs, "LOOK_AGAIN_S", 0.05)
    engine, there = Engine(orders=[said(1, "one")], carts=[said(2, "two")], gone=[]), [container("orders")]

    def log(id, **_):
        if id.startswith("gone"):
            raise Refused("no such container")
        yield from engine.pieces[id.partition("-")[0]]
        if id.startswith("orders"):
            appeared.set()
        threading.Event().wait(30)

    engine.log, appeared = log, threading.Event()

    def containers():
        return [*there, container("gone"), *([container("carts")] if appeared.is_set() else [])]

    lines = logs.following(engine, containers)
    assert [next(lines).fields["event"] for _ in range(2)] == ["one", "two"]
    lines.close()


def test_an_instance_is_left_out_when_nginx_has_the_configuration_that_follows():
    def line(second, event, **fields):
        return json.dumps({"event": event, "timestamp": f"2030-01-01T00:00:{second:02d}+00:00", **fields}).encode()

    out, other = "an instance is left out for a while", "10.0.0.3:8000"
    lines = [line(1, "nginx reloads"), line(2, out, target="10.0.0.2:8000"), b"no json", line(3, "nginx reloads")]
    new_year = 1893456000
    assert logs.left_out_at(lines, "10.0.0.2:8000") == new_year + 3
    assert logs.left_out_at(lines[:3], "10.0.0.2:8000") is None
    assert logs.left_out_at(lines, other) is None
