"""Who makes the generator's journeys: signed-in customers, and one errand after the other for them."""

import random
import time
from dataclasses import replace
from typing import Any

from gevent.pool import Pool
from locust.env import Environment

from loadtests import journeys
from loadtests.connections import Agent, KeptClients
from loadtests.journeys import Answer
from loadtests.neighbours import Neighbours, Nobody
from loadtests.shoppers import Customer, new_email
from loadtests.steps import JOURNEYS, SIGNED_IN

MOST_UNDER_WAY = 4000
TIMEOUT_S = 30.0
SIGN_UPS_AT_ONCE = 4


class Regular(Customer):
    """A customer whose connections are shared with the others', kept, and counted when they break."""

    abstract = True
    network_timeout = connection_timeout = TIMEOUT_S

    def __init__(self, environment: Environment, clients: KeptClients) -> None:
        super().__init__(environment)
        session = self.client
        session.client = Agent(
            client_pool=clients, cookiejar=session.cookiejar, max_redirects=self.max_redirects, max_retries=0
        )


class Errand:
    """One journey of a customer. Its first request is due when it came; each later one when it is made."""

    def __init__(self, customer: Customer, neighbours: Neighbours | None, due: float | None) -> None:
        self._customer, self._neighbours, self._due = customer, neighbours, due

    def request(self, method: str, path: str, *, name: str, **options: Any) -> Answer:
        sent = time.monotonic()
        due, self._due = sent if self._due is None else self._due, None
        answer: Answer = self._customer.send(method, path, name=name, context={"due": due, "sent": sent}, **options)
        return answer

    def internal(self, service: str, method: str, path: str, *, name: str, **options: Any) -> Answer:
        if self._neighbours is None:
            return journeys.not_inside(service)
        with self._neighbours.pick(service) as (url, headers):
            return self.request(method, url + path, name=name, headers=headers, **options)


class Crowd:
    """Customers by turns. `go` makes one journey, and reports one that cannot be made as a failed request."""

    def __init__(
        self, environment: Environment, count: int, mix: dict[str, float], seed: int, neighbours: Neighbours | None
    ) -> None:
        self._environment, self._seed, self._neighbours = environment, seed, neighbours
        clients = KeptClients(concurrency=MOST_UNDER_WAY, network_timeout=TIMEOUT_S, connection_timeout=TIMEOUT_S)
        self._customers = [Regular(environment, clients) for _ in range(count)]
        self._shops = [
            customer.shop_for(random.Random(f"{seed}/{number}"), new_email())
            for number, customer in enumerate(self._customers)
        ]
        if SIGNED_IN & set(mix):
            Pool(SIGN_UPS_AT_ONCE).map(journeys.sign_up, self._shops)

    @property
    def strangers(self) -> int:
        """How many could not sign in."""
        return sum(1 for shop in self._shops if shop.password and not shop.token)

    def furnish(self, **changes: Any) -> None:
        """Set what all of them do alike: `skus`, `card`."""
        self._shops = [replace(shop, **changes) for shop in self._shops]

    def go(self, journey: str, number: int, due: float | None) -> None:
        """The journey of this number; its choices depend on the seed and the number alone."""
        turn = number % len(self._shops)
        shop, errand = self._shops[turn], Errand(self._customers[turn], self._neighbours, due)
        # Its own randomness, but the customer's own token and orders.
        rng = random.Random(f"{self._seed}-{number}")
        own = replace(shop, rng=rng, request=errand.request, internal=errand.internal)
        try:
            JOURNEYS[journey](own)
        except Nobody as error:
            self.failed(journey, due, error)
        except Exception as error:  # an answer that makes no sense to the journey, such as half a JSON document
            self.failed(journey, due, error)
        shop.token, shop.signed_in_at = own.token, own.signed_in_at

    def failed(self, journey: str, due: float | None, error: BaseException) -> None:
        now = time.monotonic()
        context = {"due": now if due is None else due, "sent": now}
        self._environment.events.request.fire(
            request_type="journey", name=journey, response_time=0.0, response_length=0, exception=error, context=context
        )
