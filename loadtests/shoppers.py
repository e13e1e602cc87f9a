"""Who comes: Locust users that make the journeys."""

import itertools
import os
import random
import uuid
from typing import Any

import gevent
from locust import FastHttpUser, between, task

from loadtests import journeys

SEED = int(os.environ.get("SOUK_SEED", "1"))

_numbers = itertools.count(1)


def new_email() -> str:
    """One that nobody has: those of an earlier run are taken."""
    return f"shopper-{uuid.uuid4().hex}@souk.example"


class Customer(FastHttpUser):
    """Somebody who makes requests as `journeys.Request` wants them. Each is one event of Locust."""

    abstract = True

    def shop_for(self, rng: random.Random, email: str) -> journeys.Shop:
        return journeys.Shop(self.send, rng, email, self.report, gevent.sleep)

    def send(
        self, method: str, path: str, *, name: str, may_wait: bool = False, expect: bytes = b"", **options: Any
    ) -> Any:
        if not may_wait and not expect:
            return self.client.request(method, path, name=name, **options)
        with self.client.request(method, path, name=name, catch_response=True, **options) as answer:
            if may_wait and answer.status_code in journeys.COME_AGAIN and "Retry-After" in answer.headers:
                answer.success()
            elif expect and 200 <= answer.status_code < 300 and expect not in answer.content:
                answer.failure("the body is not what was asked for")
            return answer

    def report(self, step: str, seconds: float, error: str | None) -> None:
        self.environment.events.request.fire(
            request_type="journey", name=step, response_time=seconds * 1000, response_length=0,
            exception=RuntimeError(error) if error else None, context={},
        )  # fmt: skip


class Shopper(Customer):
    """A customer with an account of their own, who visits the shop again and again."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        worker = getattr(self.environment.runner, "worker_index", 0)  # of several processes, each has its own choices
        number = f"{worker}-{next(_numbers)}" if worker else next(_numbers)
        self.shop = self.shop_for(random.Random(f"{SEED}-{number}"), new_email())
        journeys.sign_up(self.shop)

    @task
    def visit(self) -> None:
        journeys.visit(self.shop)
