"""The seam to the neighbours: deadlines, retries, budget, breaker, tokens, trace."""

import json
import threading
from contextvars import copy_context

import pytest

from chassis import deadline
from chassis.calls import Calls, raise_for_problem
from chassis.connections import Reply
from chassis.errors import Conflict, DeadlinePassed, Problem, Unavailable
from chassis.instance import Instance
from chassis.resilience import Breaker, RetryBudget, SideBench
from chassis.testing import eventually
from chassis.tests.fake_servers import FakeClock, HttpServer
from chassis.trace import current_trace, new_trace, parse_traceparent

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Replica:
    """A server that notes what it is asked. `plan`: the answers to come, then 200; a status, None or a function."""

    def __init__(self, name, *plan, always=200):
        self.plan, self.always = list(plan), always
        self.asked = []
        self.server = HttpServer(self._answer)
        self.instance = Instance(name, "catalog", "127.0.0.1", self.server.port)

    def _answer(self, method, path, headers, body):
        self.asked.append((method, path, headers, body))
        answer = self.plan.pop(0) if self.plan else self.always
        if callable(answer):
            answer = answer()
        return None if answer is None else (answer, {"Content-Type": "application/json"}, b'{"ok": true}')

    @property
    def headers(self):
        return self.asked[-1][2]


class Listed:
    """Discovery that knows what the test says."""

    def __init__(self, *replicas):
        self.known = [replica.instance for replica in replicas]

    def instances(self, name, wait_s=0.0):
        return self.known if name == "catalog" else []

    def close(self):
        self.known = []


@pytest.fixture
def replica():
    made = []

    def make(*plan, **options):
        made.append(Replica(f"catalog-{len(made)}", *plan, **options))
        return made[-1]

    yield make
    for one in made:
        one.server.stop()


@pytest.fixture
def calls_to():
    made = []

    def make(*replicas, balancing="round_robin", **options):
        options = {"seed": 1, **options}
        made.append(Calls("orders", Listed(*replicas), lambda target: f"to-{target}", {"*": balancing}, **options))
        return made[-1]

    yield make
    for calls in made:
        calls.stop()


@pytest.fixture
def dead():
    """A replica that is listed but does not listen."""
    replica = Replica("dead")
    replica.server.stop()
    return replica


@pytest.fixture(autouse=True)
def _own_context():
    deadline.set_deadline(None)
    token = current_trace.set(None)
    yield
    current_trace.reset(token)
    deadline.set_deadline(None)


def get(calls, path="/x", **options):
    return calls.request("catalog", "GET", path, **options)


# --- what is sent


def test_a_call_goes_to_a_healthy_instance_and_brings_its_answer(replica, calls_to):
    one = replica()
    response = get(calls_to(one), params=[("sku", "a"), ("sku", "b")])
    assert response.json() == {"ok": True}
    assert one.asked[0][:2] == ("GET", "/x?sku=a&sku=b")


def test_bodies_are_sent_as_json_or_as_given(replica, calls_to):
    one = replica()
    calls = calls_to(one)
    calls.request("catalog", "POST", "/x", json={"a": 1})
    calls.request("catalog", "POST", "/x", data=b"raw", headers={"Content-Type": "application/cloudevents+json"})
    assert json.loads(one.asked[0][3]) == {"a": 1}
    assert (one.asked[1][3], one.headers["Content-Type"]) == (b"raw", "application/cloudevents+json")


def test_the_trace_goes_on_with_a_new_span(replica, calls_to):
    one = replica()
    current_trace.set(parse_traceparent(TRACE))
    get(calls_to(one))
    sent = parse_traceparent(one.headers["traceparent"])
    assert sent.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert sent.span_id != "00f067aa0ba902b7"


def test_tokens_are_added_when_asked_for(replica, calls_to):
    one = replica()
    calls = calls_to(one)
    get(calls)
    assert "Authorization" not in one.headers
    for options, expected in [
        ({"token": "service"}, "Bearer to-catalog"),
        ({"token": "user", "user_token": "given"}, "Bearer given"),
    ]:
        get(calls, **options)
        assert one.headers["Authorization"] == expected


def test_cookies_of_one_answer_are_not_sent_with_the_next_call(replica, calls_to):
    one = replica()
    one.server.handle = lambda *asked: one._answer(*asked) and (200, {"Set-Cookie": "a=1"}, b"")
    calls = calls_to(one)
    get(calls)
    get(calls)
    assert len(one.asked) == 2
    assert "Cookie" not in one.headers


def test_redirects_are_answers_and_are_not_followed(replica, calls_to):
    assert get(calls_to(replica(303))).status_code == 303


# --- deadlines


def test_what_is_left_of_the_deadline_is_handed_on(replica, calls_to):
    one = replica()
    calls = calls_to(one)
    deadline.set_deadline(60_000)
    get(calls)
    assert 0 < int(one.headers["X-Request-Timeout-Ms"]) <= 60_000
    get(calls, timeout_s=30)
    assert 0 < int(one.headers["X-Request-Timeout-Ms"]) <= 30_000
    get(calls, timeout_s=90)
    assert int(one.headers["X-Request-Timeout-Ms"]) <= 60_000


def test_with_no_time_left_nobody_is_asked(replica, calls_to):
    one = replica()
    deadline.set_deadline(0)
    with pytest.raises(DeadlinePassed):
        get(calls_to(one))
    assert one.asked == []


def test_an_answer_that_comes_too_late_is_not_waited_for(replica, calls_to):
    done = threading.Event()
    slow = replica(lambda: done.wait(20) and 200)
    calls = calls_to(slow)
    deadline.set_deadline(200)
    with pytest.raises(DeadlinePassed):
        get(calls)
    done.set()
    assert len(slow.asked) == 1


def test_an_instance_that_hangs_leaves_enough_time_for_another_and_is_not_asked_again_at_once(replica, calls_to):
    done = threading.Event()
    slow, other = replica(lambda: done.wait(20) and 200), replica()
    calls = calls_to(slow, other)
    for _ in range(6):
        deadline.set_deadline(3000)
        assert get(calls).status_code == 200
    done.set()
    assert len(slow.asked) == 1
    assert len(other.asked) == 6


def test_the_first_try_is_short_while_another_instance_can_be_asked(replica, calls_to):
    two = [replica(always=504), replica(always=504)]
    calls = calls_to(*two, try_s=0.3)
    get(calls, timeout_s=30)
    given = sorted(int(one.headers["X-Request-Timeout-Ms"]) for one in two)
    assert given[0] <= 300
    assert 20_000 < given[1] <= 30_000, "the last one has all that is left"
    get(calls, timeout_s=0.2)
    assert min(int(one.headers["X-Request-Timeout-Ms"]) for one in two) <= 100, "no more than half"


@pytest.mark.parametrize("why", ["the only one", "not repeatable", "no budget"])
def test_the_only_try_has_all_the_time(replica, calls_to, why):
    instances = [replica(always=504) for _ in range(1 if why == "the only one" else 2)]
    calls = calls_to(*instances)
    if why == "no budget":
        while calls._targets.of("catalog").budget.take():
            pass
    answer = calls.request("catalog", "POST" if why == "not repeatable" else "GET", "/x", timeout_s=30)
    assert answer.status_code == 504
    (asked,) = [one.headers for one in instances if one.asked]
    assert int(asked["X-Request-Timeout-Ms"]) > 20_000


def test_a_deadline_belongs_to_its_context():
    deadline.set_deadline(0)
    copy_context().run(deadline.set_deadline, None)
    with pytest.raises(DeadlinePassed):
        deadline.remaining_s()
    deadline.set_deadline(None)
    assert deadline.remaining_s() is None


# --- retries


def test_nobody_healthy_is_said_plainly(calls_to):
    with pytest.raises(Unavailable, match="no healthy instance of catalog"):
        get(calls_to())


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_what_is_safe_to_repeat_is_asked_of_another_instance(replica, calls_to, method, status):
    bad, good = replica(always=status), replica()
    calls = calls_to(bad, good)
    assert [calls.request("catalog", method, "/x").status_code for _ in range(2)] == [200, 200]
    assert len(bad.asked) == 1


@pytest.mark.parametrize("status", [200, 404, 409, 429, 500])
def test_other_answers_are_not_repeated(replica, calls_to, status):
    one, two = replica(always=status), replica(always=status)
    assert get(calls_to(one, two)).status_code == status
    assert len(one.asked) + len(two.asked) == 1


def test_a_post_is_repeated_only_if_the_caller_says_that_it_may_be(replica, calls_to):
    bad, good = replica(always=503), replica()
    calls = calls_to(bad, good)
    statuses = {calls.request("catalog", "POST", "/x").status_code for _ in range(2)}
    assert statuses == {503, 200}
    assert {calls.request("catalog", "POST", "/x", idempotent=True).status_code for _ in range(2)} == {200}


def test_a_post_that_was_cut_off_is_not_repeated(replica, calls_to):
    one, two = replica(always=None), replica(always=None)
    with pytest.raises(Unavailable, match="catalog cannot be reached"):
        calls_to(one, two).request("catalog", "POST", "/x")
    assert len(one.asked) + len(two.asked) == 1


def test_one_that_refuses_the_connection_is_passed_over_also_for_a_post(replica, calls_to, dead):
    good = replica()
    calls = calls_to(dead, good)
    assert [calls.request("catalog", "POST", "/x").status_code for _ in range(30)] == [200] * 30


def test_there_is_one_retry_and_no_more(replica, calls_to):
    all_bad = [replica(always=503) for _ in range(4)]
    assert get(calls_to(*all_bad)).status_code == 503
    assert sum(len(one.asked) for one in all_bad) == 2


def test_with_one_instance_nothing_is_repeated(replica, calls_to):
    only = replica(always=503)
    assert get(calls_to(only)).status_code == 503
    assert len(only.asked) == 1


def test_when_all_refuse_the_caller_learns_it(calls_to, dead):
    with pytest.raises(Unavailable, match="catalog cannot be reached"):
        get(calls_to(dead))


def test_retries_stay_inside_the_budget(replica, calls_to):
    bad = [replica(always=503), replica(always=503)]
    calls = calls_to(*bad, fail_max=10_000)
    for _ in range(200):
        get(calls)
    extra = sum(len(one.asked) for one in bad) - 200
    assert 2 <= extra <= 200 * 0.1 + 10


def test_a_budget_of_one_lets_every_call_be_repeated(replica, calls_to):
    bad = [replica(always=503), replica(always=503)]
    calls = calls_to(*bad, fail_max=0, retry_share=1)
    for _ in range(50):
        get(calls)
    assert [len(one.asked) for one in bad] == [50, 50]


def test_a_kept_connection_that_was_closed_is_replaced_without_a_retry(replica, calls_to):
    one = replica()
    calls = calls_to(one, max_retries=0)
    get(calls)
    one.plan = [None]  # it hangs up as a server does whose idle time is over, just when the request comes
    assert get(calls).status_code == 200
    assert len(one.asked) == 3


def test_a_post_on_a_kept_connection_that_was_closed_is_not_repeated(replica, calls_to):
    one = replica()
    calls = calls_to(one)
    get(calls)
    one.plan = [None]
    with pytest.raises(Unavailable):
        calls.request("catalog", "POST", "/x")
    assert len(one.asked) == 2


def test_connections_are_kept_and_shared(replica, calls_to):
    one = replica()
    calls = calls_to(one)
    for _ in range(20):
        get(calls)
    assert one.server.connections == 1


def test_many_threads_share_the_calls_and_round_robin_stays_even(replica, calls_to):
    three = [replica() for _ in range(3)]
    calls = calls_to(*three)
    threads = [threading.Thread(target=lambda: [get(calls) for _ in range(30)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(one.asked) for one in three] == [80, 80, 80]


def test_the_strategy_is_chosen_by_target(replica, calls_to):
    three = [replica() for _ in range(3)]
    calls = calls_to(*three, balancing="consistent_hash")
    for _ in range(12):
        get(calls, key="customer-1")
    assert sorted(len(one.asked) for one in three) == [0, 0, 12]


def test_a_wrong_address_in_the_registry_is_one_that_cannot_be_reached(calls_to, dead):
    dead.instance = Instance("odd", "catalog", "127.0.0.1", 70_000)
    with pytest.raises(Unavailable):
        get(calls_to(dead))


# --- breaker


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_try_later(replica, calls_to):
    one = replica(*[500] * 3)
    calls = calls_to(one, fail_max=3, reset_s=0.3)
    assert [get(calls).status_code for _ in range(3)] == [500] * 3
    with pytest.raises(Unavailable, match="left alone") as refused:
        get(calls)
    assert refused.value.retry_after == 0.3
    assert len(one.asked) == 3

    def answered():
        try:
            return get(calls).status_code == 200
        except Unavailable:
            return False

    eventually(answered)
    assert get(calls).status_code == 200


def test_without_a_breaker_a_target_that_fails_is_always_asked(replica, calls_to):
    one = replica(always=500)
    calls = calls_to(one, fail_max=0)
    assert [get(calls).status_code for _ in range(50)] == [500] * 50
    assert len(one.asked) == 50


def test_answers_that_blame_the_caller_do_not_open_the_breaker(replica, calls_to):
    one = replica(always=422)
    calls = calls_to(one, fail_max=2)
    assert [get(calls).status_code for _ in range(5)] == [422] * 5


def test_a_call_that_a_retry_saved_is_no_failure(replica, calls_to):
    bad, good = replica(always=503), replica()
    calls = calls_to(bad, good, fail_max=1)
    assert [get(calls).status_code for _ in range(2)] == [200, 200]


def test_no_connection_counts_and_the_breaker_of_one_target_does_not_stop_another(calls_to, dead, replica):
    calls = calls_to(dead, fail_max=2)
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be reached"):
            get(calls)
    with pytest.raises(Unavailable, match="left alone"):
        get(calls)
    with pytest.raises(Unavailable, match="no healthy instance of carts"):
        calls.request("carts", "GET", "/x")


def test_while_the_one_trial_is_under_way_the_others_are_refused():
    breaker = Breaker("catalog", fail_max=1, reset_s=0.01)
    with pytest.raises(ZeroDivisionError), breaker.guard():
        raise ZeroDivisionError
    eventually(lambda: _admits(breaker, and_then=lambda: not _admits(breaker)))
    assert _admits(breaker, and_then=lambda: _admits(breaker))


def test_calls_under_way_do_not_wait_for_each_other():
    breaker = Breaker("catalog", fail_max=5, reset_s=1)
    both_in = threading.Barrier(2)

    def enter():
        with breaker.guard():
            both_in.wait(20)

    other = threading.Thread(target=enter)
    other.start()
    enter()
    other.join()


def _admits(breaker, and_then=lambda: True):
    try:
        with breaker.guard():
            return and_then()
    except Unavailable:
        return False


# --- budget and bench


def test_the_budget_grants_a_tenth_under_load():
    clock = FakeClock()
    budget = RetryBudget(clock=clock)
    granted = 0
    for _ in range(10_000):
        clock.now += 0.001
        budget.note_request()
        granted += budget.take()
    assert 1000 <= granted <= 1010


def test_the_budget_grants_some_to_a_quiet_system_and_saves_up_only_a_few():
    clock = FakeClock()
    budget = RetryBudget(clock=clock)
    for _ in range(5):
        clock.now += 1
        budget.note_request()
        assert budget.take()
    clock.now += 3600
    budget.note_request()
    assert sum(budget.take() for _ in range(100)) == 10


def test_who_refused_sits_out_for_a_second():
    clock = FakeClock()
    bench = SideBench(1.0, clock)
    bench.add("a")
    assert bench.current() == {"a"}
    clock.now += 1.1
    assert bench.current() == set()


# --- errors and traces


def answer(status, body=b"", **headers):
    return Reply(status, headers, body)


def test_a_neighbours_problem_becomes_ours():
    body = json.dumps({"detail": "taken", "title": "Conflict", "errors": [{"field": "a", "message": "b"}]}).encode()
    with pytest.raises(Conflict, match="taken") as raised:
        raise_for_problem(answer(409, body))
    assert raised.value.errors == [{"field": "a", "message": "b"}]
    fine = answer(204)
    assert raise_for_problem(fine) is fine


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"text"', b'{"detail": null, "errors": "x"}'])
def test_an_error_without_a_problem_in_it_keeps_its_status(body):
    with pytest.raises(Problem) as raised:
        raise_for_problem(answer(418, body, **{"Retry-After": "7"}))
    assert (raised.value.status, raised.value.retry_after) == (418, 7)
    assert raised.value.detail == "the neighbour answered 418"


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", TRACE.upper(), TRACE[:-1], TRACE + "-extra", "ff" + TRACE[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)  # fmt: skip
def test_a_traceparent_that_is_not_valid_is_none(text):
    assert parse_traceparent(text) is None


def test_a_traceparent_is_read_also_of_a_later_version_and_without_unknown_flags():
    known = parse_traceparent(TRACE)
    assert (known.trace_id, known.span_id, known.flags) == (TRACE[3:35], TRACE[36:52], 1)
    assert parse_traceparent("cc" + TRACE[2:-2] + "ff-what-comes-later") == known
    assert parse_traceparent(TRACE[:-2] + "00").header().endswith("-00")


def test_a_child_is_another_span_of_the_same_trace():
    trace = new_trace()
    assert parse_traceparent(trace.header()).trace_id == trace.trace_id
    assert trace.child().trace_id == trace.trace_id
    assert trace.child().span_id != trace.span_id
