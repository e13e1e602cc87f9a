"""Schemathesis over every service's OpenAPI page: whatever it thinks of, the service answers as the page says.

All its phases and checks: good and bad input of every operation (coverage, fuzzing), and sequences of calls along the
page's links (stateful). The same seed makes the same requests. `make fuzz` looks longer.
"""

import os
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.generation import GenerationMode

from chassis.testing import Neighbour, as_operator, as_service
from services.tests.shop import APPS, Shop

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))  # of each operation, and sequences
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SERVICES = [name for name in APPS if name != "storefront"]  # its pages are for people
GOOD_BANK = {"latency_ms": 0, "failure_rate": 0.0, "decline_rate": 0.0, "away": False, "answer_after_ms": 0}
CONFIG = {
    "seed": SEED,
    "generation": {"deterministic": True, "max-examples": EXAMPLES, "database": "none"},
    "checks": {
        # 428 is the status for a missing precondition (RFC 6585, section 3), which an Idempotency-Key is.
        "missing_required_header": {"expected-statuses": [400, 401, 403, 422, 428]},
        # 402: the bank declines. 412: If-Match says so. 5xx is not here, as it is by default: nothing may fail.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 304, 401, 402, 403, 404, 409, 412]},
    },
    "operations": [
        # What `data` holds for which `type` is agreed in docs/contract.md, and no part of OpenAPI.
        {"include-name": "POST /events", "checks": {"positive_data_acceptance": {"enabled": False}}},
    ],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """All services behind real HTTP; orders and carts with a catalog that has every product, so that any can be had."""
    whole, catalog = Shop(tmp_path_factory.mktemp("shop")), Neighbour()
    catalog.answers["GET", "/api/catalog/products"] = lambda _body: (200, {"items": asked_for(catalog)})
    addresses = dict(whole.neighbours)
    whole.neighbours["catalog"] = catalog.address
    for name in ("orders", "carts"):
        whole.apps[name] = whole.app(name)
    whole.neighbours = addresses
    for name in set(SERVICES) - set(addresses):
        whole.serve(name)
    yield whole
    whole.close()
    catalog.close()


@pytest.fixture(scope="module", autouse=True)
def hooks(shop):
    def before_call(_context, case, _kwargs):
        if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
            case.query.pop("cursor", None)  # the page cannot say which are good: those that the list gave out
            if case.operation.label == "GET /api/orders" and case.query.get("scope") != "all":
                case.query.pop("limit", None)  # nor that only operators' lists have pages of more than 100
            if case.operation.label == "POST /api/orders":  # nor that a sku stands on one line only
                case.body["lines"] = list({line["sku"]: line for line in case.body["lines"]}.values())

    def after_call(_context, case, _response):
        if case.operation.label == "PUT /settings":
            shop.bank(**GOOD_BANK)  # a bank that hangs and fails is what these settings are for

    for hook in (before_call, after_call):
        schemathesis.hook(hook)
    yield
    for hook in (before_call, after_call):
        schemathesis.hooks.unregister(hook)


def asked_for(catalog):
    query = parse_qs(urlsplit(catalog.requests[-1][1]).query)
    return [{"sku": sku, "name": "A lamp", "price_cents": 100, "currency": "EUR"} for sku in query["sku"]]


def make_schema(shop, name):
    schema = schemathesis.openapi.from_url(
        f"http://{shop.neighbours[name]}/openapi.json", config=SchemathesisConfig.from_dict(CONFIG)
    )
    user = as_operator() if name != "accounts" else signed_up(shop)

    @schema.auth()
    class Tokens:
        def get(self, _case, context):
            security = context.operation.definition.raw.get("security", [])
            return as_service(name) if {"service": []} in security else user if security else {}

        def set(self, case, headers, _context):
            case.headers.update(headers)

    return schema


def signed_up(shop):
    """Headers of a customer, with a token that accounts signed: it believes no others."""
    user = {"email": f"{uuid.uuid4()}@souk.example", "password": "open sesame 1"}
    shop.call("POST", "/api/accounts/users", user | {"name": "Ada"})
    return {"Authorization": f"Bearer {shop.call('POST', '/api/accounts/tokens', user).json['access_token']}"}


def findings(schema):
    """What schemathesis finds, as text, and how many requests it made."""
    found, requests = [], 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished | events.FuzzScenarioFinished):
            requests += len(event.recorder.cases)
            for case, checks in event.recorder.checks.items():
                label = event.recorder.cases[case].value.operation.label
                failed = (check.failure_info for check in checks if check.failure_info)
                found += [f"{label}: {info.failure}\n{info.code_sample}" for info in failed]
        elif isinstance(event, events.NonFatalError):
            found.append(str(event.info))
        elif isinstance(event, events.FatalError):
            raise event.exception
    return found, requests


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_keeps_to_its_page_whatever_it_is_asked(shop, name):
    found, requests = findings(make_schema(shop, name))
    print(f"{name}: {requests} requests")
    assert not found, "\n\n".join(found)
    assert requests > 50
