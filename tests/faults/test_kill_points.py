"""Every service that takes or emits events dies at every point between two steps: nothing lost, nothing doubled."""

import tomllib
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.combined import Combined
from bench.customer import ACCEPTED, BUSY, DECLINED, Customer
from bench.rush import crowd
from bench.system import PROJECT, System, eventually
from chassis.faults import POINTS
from orders import saga
from payments import settling

pytestmark = [
    pytest.mark.faults,
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.dimensions("database", "events", "registry"),
]

SKU, SOLD_OUT = "SOUK-000070", "SOUK-000071"
IN_CART = 50
AWAY = (502, *BUSY)
OWN_POINTS = {"orders": saga.POINTS, "payments": settling.POINTS}


def services_that(use: str) -> list[str]:
    """The services whose wiring calls this."""
    services = tomllib.loads((PROJECT / "services" / "fleet.toml").read_text())["service"]
    wiring = {service["name"]: PROJECT / "services" / service["name"] / "app.py" for service in services}
    return [name for name, file in wiring.items() if file.exists() and f"{use}(" in Path(file).read_text()]


MATRIX = [(name, point) for name in services_that("use_outbox") for point in POINTS if point.startswith("outbox.")]
MATRIX += [(name, point) for name in services_that("use_inbox") for point in POINTS if point.startswith("inbox.")]
MATRIX += [(name, point) for name, points in OWN_POINTS.items() for point in points]
# Those that `make test` has time for: an event out, an event in, and money.
SHORT = [("orders", "outbox.claimed"), ("inventory", "inbox.recorded"), ("payments", "payment.asked")]


@pytest.fixture(scope="module")
def customers(system: Combined) -> list[Customer]:
    system.has(catalog=1, inventory=1, orders=1, payments=1)  # so that the next one to come to the point is the one
    return crowd(system, 4)


@pytest.mark.parametrize(
    ("service", "point"),
    [pytest.param(*each, marks=() if each in SHORT else pytest.mark.thorough, id="-".join(each)) for each in MATRIX],
)
def test_a_death_between_two_steps(system: System, customers: list[Customer], service: str, point: str) -> None:
    operator = system.operator()
    operator.must("PUT", f"/api/inventory/stock/{SOLD_OUT}", json={"on_hand": 0})
    for customer in customers:
        for sku in (SKU, SOLD_OUT):
            customer.must("PUT", f"/api/carts/mine/items/{sku}", json={"quantity": IN_CART})
    told = [messages(customer) for customer in customers]
    killed, lives = pids(system, service, "killed on purpose"), pids(system, service, "serving")
    if point.startswith("deadline"):  # orders are overdue only while the bank is away
        system.souk("bank", "away=true")

    system.souk("fault", service, "kill", f"point={point}")
    newcomer = sign_up(system)
    new_sku = bring_in_a_product(operator)
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(order, customers, range(len(customers))))
    system.souk("bank", "away=false")

    # One process died there, and another one took over. Two of its threads may have come to the point at once.
    (victim,) = eventually(lambda: set(pids(system, service, "killed on purpose")[len(killed) :]))
    assert victim in lives
    eventually(lambda: set(pids(system, service, "serving")) - set(lives))
    kept, declined, cancelled, sold_out = (end["reason"] or end["state"] for end in ends)
    if not point.startswith("deadline"):  # else the death has cost time, and no order its end
        assert (kept, declined, sold_out) == ("CONFIRMED", "payment_declined", "out_of_stock")
    assert cancelled in ("CONFIRMED", "customer")
    assert "0 findings" in system.audit()
    # What the audit does not see: who subscribes for the customer's eyes alone has also heard everything, and once.
    for customer, before, end in zip(customers, told, ends, strict=True):
        assert (messages(customer) - before).total() == 1
        cart = {item["sku"]: item["quantity"] for item in customer.get("/api/carts/mine")["items"]}
        assert cart == {SKU: IN_CART, SOLD_OUT: IN_CART} | {end["lines"][0]["sku"]: IN_CART - 1}
    assert list(messages(newcomer).values()) == [1]
    assert operator.get(f"/api/inventory/stock/{new_sku}")["on_hand"] == 0


def order(customer: Customer, number: int) -> dict[str, Any]:
    """An order of each kind: kept, declined by the bank, cancelled at once by the customer, sold out. How it ends."""
    kind = ("kept", "declined", "cancelled", "sold out")[number]
    sku, card = SOLD_OUT if kind == "sold out" else SKU, DECLINED if kind == "declined" else ACCEPTED
    placed = customer.insist({sku: 1}, card)
    if kind == "cancelled":
        insist(customer, "POST", f"{placed.headers['Location']}/cancellation")
    return customer.follow(placed)


def sign_up(system: System) -> Customer:
    """A new customer, for whom the answer may have been lost."""
    visitor = system.visitor()
    who = {"email": f"{uuid.uuid4().hex}@souk.example", "password": uuid.uuid4().hex}
    assert insist(visitor, "POST", "/api/accounts/users", json=who | {"name": "A newcomer"}).status_code in (201, 409)
    eventually(lambda: signs_in(visitor, **who))
    return visitor


def signs_in(visitor: Customer, email: str, password: str) -> bool:
    try:
        visitor.sign_in(email, password)
    except requests.HTTPError as error:
        assert error.response.status_code in AWAY, error
        return False
    return True


def bring_in_a_product(operator: Customer) -> str:
    sku = f"SOUK-{uuid.uuid4().hex[:12].upper()}"
    body = {"name": "A lamp", "category": "lamps", "price_cents": 900}
    assert insist(operator, "PUT", f"/api/catalog/products/{sku}", json=body).status_code in (200, 201)
    return sku


def insist(customer: Customer, method: str, path: str, **options: Any) -> requests.Response:
    """A request that is safe to repeat, again and again until somebody is there who answers it."""
    answers: list[requests.Response] = []

    def answered() -> bool:
        with suppress(requests.exceptions.ChunkedEncodingError):  # it died in the middle of its answer
            answers.append(customer.ask(method, path, **options))
        return bool(answers) and answers[-1].status_code not in AWAY

    eventually(answered, lambda: answers)
    return answers[-1]


def messages(customer: Customer) -> Counter[str]:
    """What the customer was told, and how often."""
    items = customer.get("/api/notifications", params={"limit": 100})["items"]
    return Counter(f"{item['subject']}\n{item['body']}" for item in items)


def pids(system: System, service: str, event: str) -> list[int]:
    """Every worker process of the service that has said this so far."""
    return [line["pid"] for line in system.logs(service) if line["event"] == event]
