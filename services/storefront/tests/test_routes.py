"""Every page, and what its forms do."""

import re

import pytest

from storefront.tests.helpers import LAMP, ORDER_ID, Outline, hidden_fields, order

PUBLIC = ["/", "/?q=tea&category=Tea&cursor=abc", f"/products/{LAMP['sku']}", "/sign-in", "/sign-up", "/nowhere"]
OWN = ["/cart", "/checkout", "/orders", f"/orders/{ORDER_ID}", "/notifications"]


def check_outline(response):
    page = Outline(response.text)
    assert page.count("h1") == page.count("main") == 1
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for tag, a in page.tags:
        if tag == "input" and a.get("type") != "hidden":
            assert a["in label"] or a["id"] in page.labelled, a
        assert "style" not in a, f"the content security policy forbids inline style: {tag} {a}"
        assert not [name for name in a if name.startswith("on")]
        assert tag != "script" or a["src"]
        for described_by in (a.get("aria-labelledby") or "").split():
            assert described_by in ids


@pytest.mark.parametrize("path", PUBLIC)
def test_everybody_sees_a_well_formed_page(visitor, path):
    response = visitor.get(path)
    assert response.status_code == (404 if path == "/nowhere" else 200)
    assert response.mimetype == "text/html"
    check_outline(response)


@pytest.mark.parametrize("path", PUBLIC + OWN)
def test_a_customer_sees_a_well_formed_page(customer, path):
    response = customer.get(path)
    assert response.status_code == (404 if path == "/nowhere" else 200)
    check_outline(response)


def test_the_first_page_lists_products_with_prices_and_categories(visitor):
    html = visitor.get("/").text
    assert "Mosaic Lantern, 30 cm" in html and "€42.90" in html and "/?category=Lamps" in html


def test_search_category_and_cursor_reach_the_catalog_and_the_links_keep_them(visitor, market):
    html = visitor.get("/?q=mint+tea&category=Tea&cursor=xyz").text
    [path] = [p for _, p, _, _ in market.requests if p.startswith("/api/catalog/products")]
    assert {"q=mint+tea", "category=Tea", "cursor=xyz"} <= set(path.partition("?")[2].split("&"))
    assert 'href="/?q=mint+tea&amp;category=Tea&amp;cursor=abc"' in html
    assert 'value="mint tea"' in html


def test_categories_are_asked_for_once_and_then_remembered(visitor, market):
    for _ in range(3):
        visitor.get("/")
    assert len(market.asked("GET", "/api/catalog/categories")) == 1


@pytest.mark.parametrize(("available", "text"), [(0, "Sold out"), (3, "Only 3 left"), (500, "In stock")])
def test_the_product_page_says_what_there_is(customer, market, available, text):
    market.answers["GET", f"/api/inventory/stock/{LAMP['sku']}"] = (200, {"available": available})
    html = customer.get(f"/products/{LAMP['sku']}").text
    assert text in html
    assert ("Add to cart" in html) == (available > 0)


def test_a_visitor_is_led_to_sign_in_and_back_to_the_product(visitor):
    html = visitor.get(f"/products/{LAMP['sku']}").text
    assert f'href="/sign-in?next=/products/{LAMP["sku"]}"' in html
    response = visitor.send(f"/sign-in?next=/products/{LAMP['sku']}", "/sign-in", email="a@b.example", password="x")
    assert (response.status_code, response.location) == (303, f"/products/{LAMP['sku']}")


@pytest.mark.parametrize("sku", ["UNKNOWN", "..", "a%2Fb", "%00", "x" * 200])
def test_an_unknown_product_is_a_page_that_says_so(visitor, sku):
    response = visitor.get(f"/products/{sku}")
    assert response.status_code == 404 and "Nothing here" in response.text


def test_adding_to_the_cart_adds_to_what_is_there(customer, market):
    response = customer.send(f"/products/{LAMP['sku']}", "/cart", quantity="3")
    assert (response.status_code, response.location) == (303, "/cart")
    [(headers, body)] = market.asked("PUT", f"/api/carts/mine/items/{LAMP['sku']}")
    assert body == {"quantity": 5} and headers["Authorization"].startswith("Bearer ey")


def test_the_cart_shows_lines_and_total_and_its_badge_counts_pieces(customer):
    html = customer.get("/cart").text
    assert "€85.80" in html and re.search(r'class="badge">2<', html)


def test_a_quantity_in_the_cart_is_changed_and_a_line_removed(customer, market):
    action = f"/cart/{LAMP['sku']}"
    assert customer.send("/cart", action, quantity="7").status_code == 303
    assert market.asked("PUT", f"/api/carts/mine/items/{LAMP['sku']}")[0][1] == {"quantity": 7}
    assert customer.send("/cart", action, quantity="0").status_code == 303
    assert customer.send("/cart", action, quantity="nonsense", remove="1").status_code == 303
    assert len(market.asked("DELETE", f"/api/carts/mine/items/{LAMP['sku']}")) == 2


def test_a_quantity_that_is_none_is_a_page_that_says_so(customer):
    response = customer.send("/cart", f"/cart/{LAMP['sku']}", quantity="many")
    assert response.status_code == 400 and "a quantity is a whole number" in response.text


def test_a_full_cart_says_what_is_wrong(customer, market):
    market.fail("PUT", f"/api/carts/mine/items/{LAMP['sku']}", 409, detail="a cart holds at most 50 products")
    response = customer.send("/cart", f"/cart/{LAMP['sku']}", quantity="1")
    assert response.status_code == 409 and "a cart holds at most 50 products" in response.text


def test_an_empty_cart_has_no_checkout(customer, market):
    market.cart["items"] = []
    assert "nothing in it yet" in customer.get("/cart").text
    assert customer.get("/checkout").location == "/cart"


def test_checkout_orders_what_was_shown_with_the_card_that_was_chosen(customer, market):
    html = customer.get("/checkout").text
    assert "test cards" in html and "€85.80" in html
    assert re.search(r'value="4242424242424242"[^>]* checked', html)
    response = customer.send("/checkout", "/checkout", card="4000000000000002")
    assert (response.status_code, response.location) == (303, f"/orders/{ORDER_ID}")
    [(headers, body)] = market.asked("POST", "/api/orders")
    lines = [{"sku": LAMP["sku"], "quantity": 2}]
    assert body == {"lines": lines, "payment": {"card": "4000000000000002"}}
    assert len(headers["Idempotency-Key"]) == 36


def test_a_form_that_is_sent_twice_sends_the_same_key_and_body_though_the_cart_is_empty_by_then(customer, market):
    form = {**hidden_fields(customer.get("/checkout").text, "/checkout"), "card": "4242424242424242"}
    customer.post("/checkout", form)
    market.cart["items"] = []
    customer.post("/checkout", form)
    (first, body), (second, again) = market.asked("POST", "/api/orders")
    assert first["Idempotency-Key"] == second["Idempotency-Key"] and body == again


def test_each_opened_form_has_a_key_of_its_own(customer):
    first, second = (hidden_fields(customer.get("/checkout").text, "/checkout")["key"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("status", [429, 503, 504, 422])
def test_an_order_that_failed_shows_the_same_form_with_the_same_key(customer, market, status):
    market.fail("POST", "/api/orders", status, errors=[{"field": "card", "message": "not a test card"}])
    form = hidden_fields(customer.get("/checkout").text, "/checkout")
    response = customer.post("/checkout", {**form, "card": "4000000000000002"})
    assert response.status_code == status
    assert ("not a test card" if status == 422 else "placed only once") in response.text
    assert hidden_fields(response.text, "/checkout")["key"] == form["key"]
    assert re.search(r'value="4000000000000002"[^>]* checked', response.text)
    assert LAMP["name"] in response.text
    check_outline(response)


def test_a_key_that_was_used_for_another_order_leads_to_the_orders(customer, market):
    market.fail("POST", "/api/orders", 409)
    response = customer.send("/checkout", "/checkout", card="4242424242424242")
    assert response.location == "/orders"
    assert "has placed an order before" in customer.get("/orders").text


@pytest.mark.parametrize(
    "damage", [{"key": "x"}, {"line": []}, {"line": "SOUK-000004"}, {"line": ":2"}, {"line": "A:0"}, {"line": "A:x"}]
)
def test_a_damaged_checkout_form_places_nothing(customer, market, damage):
    assert customer.send("/checkout", "/checkout", **damage).status_code == 400
    assert market.asked("POST", "/api/orders") == []


def test_an_order_under_way_is_followed_by_a_script_and_without_one_by_reloading(customer):
    html = customer.get(f"/orders/{ORDER_ID}").text
    assert 'src="/static/order.js?v=' in html
    assert f'data-news="/orders/{ORDER_ID}/news"' in html
    assert '<noscript><meta http-equiv="refresh"' in html
    assert "Placed" in html and "to come" in html and "Cancel this order" in html


def test_what_was_just_ordered_is_not_counted_in_the_cart_any_more(customer, market):
    path = "GET", f"/api/orders/{ORDER_ID}"
    for state, badge in (("PENDING", False), ("CONFIRMED", True)):
        market.answers[path] = (200, order(state))
        assert ('class="badge"' in customer.get(f"/orders/{ORDER_ID}").text) == badge


@pytest.mark.parametrize(("state", "reason"), [("CONFIRMED", None), ("CANCELLED", "payment_declined")])
def test_an_order_that_has_ended_is_not_followed(customer, market, state, reason):
    market.answers["GET", f"/api/orders/{ORDER_ID}"] = (200, order(state, reason))
    html = customer.get(f"/orders/{ORDER_ID}").text
    assert "order.js" not in html and "http-equiv" not in html and "Cancel this order" not in html
    assert ("The card was declined" in html) == (reason is not None)


def test_the_news_of_an_order_are_json_with_the_part_of_the_page_that_changes(customer, market):
    path = f"/orders/{ORDER_ID}/news"
    news = customer.client.get(path, headers={"Accept": "application/json"}).get_json()
    assert (news["state"], news["final"], news["payment"]) == ("PENDING", False, None)
    assert "<html" not in news["html"] and "to come" in news["html"]
    assert market.asked("GET", f"/api/payments/{ORDER_ID}") == []  # nothing was asked of payments yet
    market.answers["GET", f"/api/orders/{ORDER_ID}"] = (200, order("CONFIRMED"))
    news = customer.client.get(path, headers={"Accept": "application/json"}).get_json()
    assert (news["state"], news["final"], news["payment"]) == ("CONFIRMED", True, "CAPTURED")


def test_news_of_somebody_elses_order_are_a_problem_document(customer, market):
    market.fail("GET", f"/api/orders/{ORDER_ID}", 403)
    response = customer.client.get(f"/orders/{ORDER_ID}/news", headers={"Accept": "application/json"})
    assert (response.status_code, response.mimetype) == (403, "application/problem+json")
    assert "Not yours" in customer.get(f"/orders/{ORDER_ID}").text


def test_the_list_of_orders_can_cancel_those_under_way_only(customer, market):
    assert f"/orders/{ORDER_ID}/cancellation" in customer.get("/orders").text
    market.answers["GET", "/api/orders"] = (200, {"items": [order("CONFIRMED")], "next": "older"})
    html = customer.get("/orders").text
    assert "cancellation" not in html and "/orders?cursor=older" in html


def test_cancelling_says_how_it_went(customer, market):
    action = f"/orders/{ORDER_ID}/cancellation"
    assert customer.send("/orders", action).location == f"/orders/{ORDER_ID}"
    assert "The order is cancelled" in customer.get(f"/orders/{ORDER_ID}").text
    market.fail("POST", f"/api/orders/{ORDER_ID}/cancellation", 409)
    customer.send("/orders", action)
    assert "can no longer be cancelled" in customer.get(f"/orders/{ORDER_ID}").text


def test_messages_are_listed(customer, market):
    html = customer.get("/notifications").text
    assert "Your order is confirmed" in html and "5 Mar 2030" in html
    market.answers["GET", "/api/notifications"] = (200, {"items": [], "next": None})
    assert "No messages yet" in customer.get("/notifications").text


def test_signing_up_makes_an_account_and_signs_in(visitor, market):
    response = visitor.send(
        "/sign-up?next=/cart", "/sign-up", name="Yasmin", email="y@souk.example", password="open sesame"
    )
    assert (response.status_code, response.location) == (303, "/cart")
    assert market.asked("POST", "/api/accounts/users")[0][1] == {
        "name": "Yasmin", "email": "y@souk.example", "password": "open sesame",
    }  # fmt: skip
    assert "Welcome, Yasmin" in visitor.get("/cart").text


@pytest.mark.parametrize(
    ("status", "errors", "text"),
    [(409, [], "There is an account with this address"),
     (422, [{"field": "email", "message": "no address"}], "no address"),
     (422, [], "no")],
)  # fmt: skip
def test_signing_up_in_vain_says_why_and_keeps_what_was_typed_but_the_password(visitor, market, status, errors, text):
    market.fail("POST", "/api/accounts/users", status, errors=errors)
    response = visitor.send("/sign-up", "/sign-up", name="Yasmin", email="y@souk.example", password="open sesame")
    assert response.status_code == 422 and text in response.text
    assert 'value="Yasmin"' in response.text and "open sesame" not in response.text
    check_outline(response)


def test_a_wrong_password_says_no_more_than_that(visitor, market):
    market.fail("POST", "/api/accounts/tokens", 401, detail="no account has this e-mail")
    response = visitor.sign_in()
    assert response.status_code == 422
    assert "do not belong together" in response.text and "no account has" not in response.text
    assert 'value="yasmin@souk.example"' in response.text


def test_signing_out_forgets_here_and_at_accounts(customer, market):
    assert customer.send("/", "/sign-out").location == "/"
    assert market.asked("DELETE", "/api/accounts/tokens")[0][1] == {"refresh_token": "r" * 43}
    assert customer.get("/cart").location == "/sign-in?next=/cart"
