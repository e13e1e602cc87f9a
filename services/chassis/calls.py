"""Calls to neighbours: the one seam through which every service speaks to every other.

A call finds its instance by itself, ends before the caller's deadline, carries trace and token, is repeated
only where that is safe and the budget allows it, and is not made at all while the breaker is open.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Flask, current_app
from prometheus_client import Counter

from chassis import deadline
from chassis.background import add_background
from chassis.connections import NETWORK_ERRORS, Connections, Reply, Request, is_timeout, make_request, was_never_sent
from chassis.discovery import FIRST_ANSWER_S, Discovery, make_discovery
from chassis.errors import BY_STATUS, DeadlinePassed, InternalError, Problem, Unavailable
from chassis.instance import Instance
from chassis.resilience import RETRY_SHARE, BreakerOpen
from chassis.service_tokens import ServiceTokens
from chassis.settings import ChassisSettings
from chassis.targets import Target, Targets
from chassis.trace import current_trace, new_trace

CALLS = Counter("souk_calls_total", "Calls to neighbours by outcome", ["target", "outcome"])
RETRIES = Counter("souk_retries_total", "Calls that were repeated on another instance", ["target"])

SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
WORTH_REPEATING = frozenset({502, 503, 504})
DEFAULT_TIMEOUT_S = 5.0
MAX_RETRIES = 1
TRY_S = 0.3

Token = Literal["service", "user"]


@dataclass(frozen=True)
class _Call:
    """One call of a caller, however many attempts it takes."""

    request: Request
    key: str | None
    repeatable: bool
    ends_at: float

    def left_s(self) -> float:
        """Seconds that are left. Raises DeadlinePassed."""
        if (left := self.ends_at - time.monotonic()) <= 0:
            raise DeadlinePassed("the time for this call is over")
        return left


class NobodyHealthy(Unavailable):
    """The registry knows nobody who could answer."""


class _Failed(Exception):
    """An answer that says that the target is not well: 5xx."""

    def __init__(self, response: Reply) -> None:
        self.response = response


class Calls:
    """Outbound HTTP of one process. Thread-safe; opens nothing before its first use, so it may be forked.

    sign: makes the service token for a target. balancing: target -> strategy, "*" for all others. fail_max: so
    many failed calls in a row open a target's breaker, 0: none do; a call that a retry saved has not failed. try_s: how
    long an instance is waited for while another one can still be asked. retry_share: what retries may add to the load.
    """

    def __init__(
        self,
        service: str,
        discovery: Discovery,
        sign: Callable[[str], str] | None = None,
        balancing: Mapping[str, str] | None = None,
        *,
        max_retries: int = MAX_RETRIES,
        try_s: float = TRY_S,
        retry_share: float = RETRY_SHARE,
        fail_max: int = 20,
        reset_s: float = 2.0,
        seed: int | None = None,
    ) -> None:
        self.discovery = discovery
        self._sign, self._max_retries, self._try_s = sign, max_retries, try_s
        self._connections = Connections(f"souk-{service}")
        self._targets = Targets(balancing or {}, fail_max, reset_s, seed, retry_share)

    def request(
        self,
        target: str,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        idempotent: bool | None = None,
        timeout_s: float | None = None,
        token: Token | None = None,
        user_token: str | None = None,
    ) -> Reply:
        """The answer, also one with an error status; `raise_for_problem` turns that into an exception.

        key: calls with the same key go to the same instance under the consistent hash. idempotent: whether
        the call may be repeated; by default what HTTP says of the method. timeout_s: at most this, at most
        what is left of the deadline, 5 s if there is neither; retries included. token: "service" signs one,
        "user" hands on `user_token`, if there is one.

        Raises Unavailable (nobody healthy, no connection, breaker open) and DeadlinePassed.
        """
        headers = {**(headers or {}), **self._own_headers(target, token, user_token)}
        call = _Call(
            make_request(method, path, headers, params, json, data),
            key,
            method in SAFE_TO_REPEAT if idempotent is None else idempotent,
            time.monotonic() + _time_allowed(timeout_s),
        )
        try:
            response = self._guarded(self._targets.of(target), call)
        except Problem as problem:
            CALLS.labels(target, _outcome(problem)).inc()
            raise
        CALLS.labels(target, f"{response.status_code // 100}xx").inc()
        return response

    def start(self) -> None:
        """Nothing to start: watches and connections begin with their first use."""

    def stop(self) -> None:
        """End the watches and close the connections."""
        self.discovery.close()
        self._connections.close()

    def _guarded(self, target: Target, call: _Call) -> Reply:
        target.budget.note_request()
        instances = self.discovery.instances(target.name, min(FIRST_ANSWER_S, call.left_s()))
        if not instances:
            raise NobodyHealthy(f"no healthy instance of {target.name}")
        try:
            with target.breaker.guard():
                response = self._with_retries(target, call, instances)
                if response.status_code >= 500:
                    raise _Failed(response)
        except _Failed as failed:
            return failed.response
        return response

    def _with_retries(self, target: Target, call: _Call, instances: list[Instance]) -> Reply:
        tried: set[str] = set()
        instance = target.pick(instances, call.key, tried)
        result: Reply | Problem = Unavailable()
        while instance is not None:
            tried.add(instance.id)
            another = call.repeatable and len(tried) <= self._max_retries and len(instances) > len(tried)
            short = another and target.budget.has_one()  # if it cannot be repeated, this is the only chance
            result, may_repeat = self._attempt(target, call, instance, short)
            if not may_repeat or len(tried) > self._max_retries or time.monotonic() >= call.ends_at:
                break
            instance = target.pick(instances, call.key, tried)
            if instance is None or not target.budget.take():
                break
            RETRIES.labels(target.name).inc()
        if isinstance(result, Problem):
            raise result
        return result

    def _attempt(self, target: Target, call: _Call, instance: Instance, short: bool) -> tuple[Reply | Problem, bool]:
        """The answer or what went wrong, and whether another instance may be asked.

        short: another one can be asked, so this one gets a short try: one that hangs costs little, and leaves enough.
        """
        left_s = min(self._try_s, call.left_s() / 2) if short else call.left_s()
        asked, address = call.request, (instance.address, instance.port)
        headers = {**asked.headers, "X-Request-Timeout-Ms": str(max(1, int(left_s * 1000)))}
        request = Request(asked.method, asked.path, headers, asked.body)
        try:
            with target.load.counting(instance.id):
                response = self._connections.send(address, request, timeout_s=left_s, repeatable=call.repeatable)
        except NETWORK_ERRORS as error:
            target.bench.add(instance.id)
            timed_out = is_timeout(error) or time.monotonic() >= call.ends_at
            problem = (
                DeadlinePassed(f"{target.name} did not answer in time")
                if timed_out
                else Unavailable(f"{target.name} cannot be reached")
            )
            problem.__cause__ = error
            return problem, call.repeatable or was_never_sent(error)
        return response, call.repeatable and response.status_code in WORTH_REPEATING

    def _own_headers(self, target: str, token: Token | None, user_token: str | None) -> dict[str, str]:
        headers = {"traceparent": (current_trace.get() or new_trace()).header()}
        if token == "service":  # nosec B105 # whose token, not a token
            if self._sign is None:
                raise ValueError("these calls were made without `sign`, so they have no service token")
            headers["Authorization"] = f"Bearer {self._sign(target)}"
        elif token == "user" and user_token:  # nosec B105 # as above
            headers["Authorization"] = f"Bearer {user_token}"
        return headers


def raise_for_problem(response: Reply) -> Reply:
    """The response, if it is no error; else the neighbour's problem as ours, with the same status."""
    if response.status_code < 400:
        return response
    kind = BY_STATUS.get(response.status_code, InternalError)
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    problem = kind(str(body.get("detail") or f"the neighbour answered {response.status_code}"))
    problem.status, problem.title = response.status_code, str(body.get("title") or kind.title)
    if isinstance(errors := body.get("errors"), list):
        problem.errors = errors
    if (retry_after := response.headers.get("Retry-After", "")).isdecimal():
        problem.retry_after = float(retry_after)
    raise problem


def use_calls(app: Flask, settings: ChassisSettings) -> Calls:
    """Let the application call its neighbours; `app_calls` finds this again inside a request."""
    calls = Calls(
        settings.service,
        make_discovery(settings.discovery_url, settings.renewal_s),
        ServiceTokens(settings.service, settings.service_keys).sign,
        settings.balancing,
        try_s=settings.call_try_ms / 1000,
        retry_share=settings.retry_share,
        fail_max=settings.breaker_fails,
    )
    app.extensions["souk.calls"] = calls
    add_background(app, calls)
    return calls


def app_calls() -> Calls:
    return current_app.extensions["souk.calls"]


def _time_allowed(timeout_s: float | None) -> float:
    """Seconds for one call. Raises DeadlinePassed when there are none."""
    left_s = deadline.remaining_s()
    if left_s is None:
        return DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s
    return left_s if timeout_s is None else min(left_s, timeout_s)


def _outcome(problem: Problem) -> str:
    names = {NobodyHealthy: "nobody", BreakerOpen: "breaker_open", DeadlinePassed: "timeout"}
    return names.get(type(problem), "unreachable")
