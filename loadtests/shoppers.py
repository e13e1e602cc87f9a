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
RUN = uuid.uuid4().hex[:8]  # accounts of an earlier run are taken, so each run has its own

_numbers = itertools.count(1)


class Shopper(FastHttpUser):
    """A customer with an account of their own, who visits the shop again and again."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        number = next(_numbers)
        self.rng = random.Random(f"{SEED}-{number}")
        self.shop = journeys.Shop(
            request=self._request,
            rng=self.rng,
            email=f"shopper-{RUN}-{number}@souk.example",
            report=self._report,
            sleep=gevent.sleep,
        )
        journeys.sign_up(self.shop)

    @task
    def visit(self) -> None:
        journeys.visit(self.shop)

    def _request(self, method: str, path: str, *, name: str, may_wait: bool = False, **options: Any) -> Any:
        if not may_wait:
            return self.client.request(method, path, name=name, **options)
        with self.client.request(method, path, name=name, catch_response=True, **options) as answer:
            if answer.status_code in journeys.COME_AGAIN and "Retry-After" in answer.headers:
                answer.success()
            return answer

    def _report(self, step: str, seconds: float, error: str | None) -> None:
        self.environment.events.request.fire(
            request_type="journey", name=step, response_time=seconds * 1000, response_length=0,
            exception=RuntimeError(error) if error else None, context={},
        )  # fmt: skip
