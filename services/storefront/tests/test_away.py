"""A neighbour that is away takes away its part of a page, and only what makes no sense without it is an error."""

import threading

import pytest

from storefront.tests.helpers import LAMP, ORDER_ID, SERVICES, Browser, order


@pytest.fixture
def without(make_app, market):
    """A signed-in customer of a shop in which one neighbour cannot be reached."""

    def take_away(*names):
        customer = Browser(make_app().test_client())
        customer.sign_in()
        there = {name: market.address for name in SERVICES if name not in names}
        refusing = dict.fromkeys(names, "127.0.0.1:1")  # nobody listens on port 1
        other = Browser(make_app(neighbours={**there, **refusing}).test_client())
        other.client.set_cookie("souk_session", customer.client.get_cookie("souk_session").value)
        return other

    return take_away


def test_without_inventory_the_product_can_still_be_seen_and_bought(without):
    response = without("inventory").get(f"/products/{LAMP['sku']}")
    assert response.status_code == 200
    assert "cannot say just now how many" in response.text and "Add to cart" in response.text


def test_without_carts_there_is_no_badge_but_a_shop(without):
    customer = without("carts")
    for path in ("/", f"/products/{LAMP['sku']}", "/orders"):
        response = customer.get(path)
        assert response.status_code == 200 and "badge" not in response.text
    assert customer.get("/cart").status_code == 503


@pytest.mark.parametrize("path", ["/", f"/products/{LAMP['sku']}"])
def test_without_the_catalog_the_shop_is_busy(without, path):
    response = without("catalog").get(path)
    assert response.status_code == 503 and int(response.headers["Retry-After"]) >= 1
    assert "The shop is busy" in response.text and f'href="{path}">Try again' in response.text
    assert "127.0.0.1" not in response.text and "catalog" not in response.text


def test_without_the_catalog_the_cart_is_shown_all_the_same(without):
    response = without("catalog").get("/cart")
    assert response.status_code == 200 and LAMP["name"] in response.text


def test_without_categories_the_list_is_shown_all_the_same(visitor, market):
    market.fail("GET", "/api/catalog/categories")
    response = visitor.get("/")
    assert response.status_code == 200 and LAMP["name"] in response.text and "Categories" not in response.text


def test_without_payments_an_order_is_followed_all_the_same(without, market):
    market.answers["GET", f"/api/orders/{ORDER_ID}"] = (200, order("CONFIRMED"))
    response = without("payments").get(f"/orders/{ORDER_ID}")
    assert response.status_code == 200 and "Paid and confirmed" in response.text and "Payment:" not in response.text


def test_without_accounts_those_who_are_signed_in_go_on_and_can_sign_out(without):
    customer = without("accounts")
    assert customer.get("/orders").status_code == 200
    assert customer.send("/", "/sign-out").status_code == 303
    assert customer.sign_in().status_code == 503


def test_without_orders_the_checkout_form_comes_back(without):
    customer = without("orders")
    response = customer.send("/checkout", "/checkout", card="4242424242424242")
    assert response.status_code == 503 and "placed only once" in response.text
    assert customer.get("/orders").status_code == 503


def test_a_slow_neighbour_delays_a_page_no_longer_than_it_may(make_app, market):
    released = threading.Event()

    def slowly(_):
        released.wait(30)
        return 200, {"available": 1}

    market.answers["GET", f"/api/inventory/stock/{LAMP['sku']}"] = slowly
    visitor = Browser(make_app(soft_timeout_s=0.2).test_client())
    try:
        response = visitor.get(f"/products/{LAMP['sku']}")
    finally:
        released.set()
    assert response.status_code == 200 and "cannot say just now" in response.text


@pytest.mark.parametrize(
    ("status", "shown", "text"),
    [(404, 404, "Nothing here"), (429, 429, "One moment"), (500, 500, "Something broke"),
     (503, 503, "The shop is busy"), (504, 504, "The shop is busy")],
)  # fmt: skip
def test_a_neighbours_error_is_a_page_for_people_and_a_problem_for_programs(visitor, market, status, shown, text):
    market.fail("GET", "/api/catalog/products", status)
    page = visitor.get("/")
    assert (page.status_code, page.mimetype) == (shown, "text/html") and text in page.text
    assert page.headers["X-Trace-Id"] in page.text
    for accept in ("*/*", "application/json", "application/problem+json, text/html;q=0.5"):
        problem = visitor.get("/", headers={"Accept": accept})
        assert (problem.status_code, problem.mimetype) == (shown, "application/problem+json")
        assert problem.get_json()["trace_id"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [("GET", "/nowhere", {}, 404), ("DELETE", "/cart", {}, 405), ("GET", "/sign-out", {}, 405),
     ("GET", "/orders/no-uuid", {}, 404), ("POST", "/sign-in", {"data": "a=" + "b" * 200_000}, 413),
     ("POST", "/sign-in", {"data": "x", "content_type": "text/plain"}, 415),
     ("POST", "/nowhere", {"data": "a=b"}, 404)],
)  # fmt: skip
def test_what_makes_no_sense_is_a_page_and_never_a_crash(visitor, method, path, options, status):
    options = {"content_type": "application/x-www-form-urlencoded", **options}
    response = visitor.client.open(path, method=method, headers={"Accept": "text/html"}, **options)
    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert "To the shop" in response.text


def test_an_unexpected_answer_of_a_neighbour_is_an_error_page_without_internals(visitor, market):
    market.answers["GET", "/api/catalog/products"] = (200, {"surprise": True})
    response = visitor.get("/")
    assert response.status_code == 500
    assert "Something broke" in response.text and "KeyError" not in response.text


def test_health_and_metrics_answer_without_any_neighbour(make_app):
    visitor = Browser(make_app(neighbours={}).test_client())
    assert [visitor.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
