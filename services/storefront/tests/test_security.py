"""What a browser is told to keep from others, and what is believed of what it sends."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.testing import user_token
from storefront.tests.helpers import LAMP, ORDER_ID, Browser, hidden_fields, tokens

POSTS = [
    "/sign-in",
    "/sign-up",
    "/sign-out",
    "/cart",
    "/cart/SOUK-000004",
    "/checkout",
    f"/orders/{ORDER_ID}/cancellation",
]
OWN = ["/cart", "/checkout", "/orders", f"/orders/{ORDER_ID}", f"/orders/{ORDER_ID}/news", "/notifications"]
EVIL = "<script>alert('x')</script>\"'>&{{ 7*7 }}"


def session_cookie(response):
    return next(c for c in response.headers.getlist("Set-Cookie") if c.startswith("souk_session="))


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_its_token_changes_nothing(customer, market, path):
    before = len(market.requests)
    response = customer.post(path, {"sku": "SOUK-000004", "quantity": "1"})
    assert response.status_code == 400 and "too old" in response.text
    assert [m for m, *_ in market.requests[before:] if m != "GET"] == []


def test_the_token_of_another_session_is_refused(app, customer):
    other = hidden_fields(Browser(app.test_client()).get("/sign-in").text, "/sign-in")
    assert customer.post("/cart", {**other, "sku": "SOUK-000004"}).status_code == 400


def test_a_form_of_one_replica_is_taken_by_another(make_app):
    first, second = (Browser(make_app().test_client()) for _ in range(2))
    form = hidden_fields(first.get("/sign-in").text, "/sign-in")
    second.client._cookies = first.client._cookies
    assert second.post("/sign-in", {**form, "email": "a@b.example", "password": "x"}).status_code == 303


def test_the_session_cookie_is_kept_from_scripts_and_from_other_sites(visitor):
    cookie = session_cookie(visitor.sign_in())
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie and "Secure" not in cookie
    assert "Domain" not in cookie
    assert "Expires" in cookie  # signed in also after the browser was closed


def test_the_cookie_is_secure_when_the_browser_came_by_https(visitor):
    form = hidden_fields(visitor.get("/sign-in").text, "/sign-in")
    form |= {"email": "a@b.example", "password": "x"}
    assert "; Secure" in session_cookie(visitor.post("/sign-in", form, **{"X-Forwarded-Proto": "https"}))


def test_the_cookie_stays_below_what_browsers_keep(visitor, market):
    assert len(session_cookie(visitor.sign_in())) < 2048
    market.answers["POST", "/api/accounts/tokens"] = (200, {**tokens(), "refresh_token": "r" * 4000})
    assert visitor.sign_in().status_code == 500


def test_a_cookie_that_was_tampered_with_signs_nobody_in(customer):
    cookie = customer.client.get_cookie("souk_session").value
    customer.client.set_cookie("souk_session", cookie[:-3] + ("aaa" if cookie[-3:] != "aaa" else "bbb"))
    assert customer.get("/cart").location == "/sign-in?next=/cart"


def test_a_key_that_was_moved_down_still_verifies(make_app, tmp_path):
    file = tmp_path / "keys" / "storefront.key"
    old = Browser(make_app().test_client())
    old.sign_in()
    file.write_text("n" * 64 + "\n" + file.read_text())
    new = Browser(make_app().test_client())
    new.client.set_cookie("souk_session", old.client.get_cookie("souk_session").value)
    assert new.get("/cart").status_code == 200


def test_signing_in_keeps_nothing_of_the_session_before(visitor):
    form = hidden_fields(visitor.get("/sign-in").text, "/sign-in")
    visitor.post("/sign-in", {**form, "email": "a@b.example", "password": "x"})
    assert visitor.post("/cart", {**form, "sku": "SOUK-000004"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/nowhere", "/sign-in", "/cart", "/static/souk.css", "/healthz"])
def test_every_answer_carries_the_security_headers(customer, path):
    headers = customer.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for part in ("script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", *OWN])
def test_no_cache_keeps_a_page_of_a_customer(customer, path):
    assert customer.get(path).headers["Cache-Control"] == "no-store"


def test_a_page_for_everybody_sets_no_cookie_and_no_shared_cache_keeps_it(visitor):
    for path in ("/", f"/products/{LAMP['sku']}", "/nowhere"):
        response = visitor.get(path)
        assert "Set-Cookie" not in response.headers
        assert response.headers["Cache-Control"] == "private, no-cache"


def test_a_static_file_is_kept_for_ever_under_the_address_with_its_hash_only(visitor):
    address = re.search(r'href="(/static/souk.css\?v=[0-9a-f]{12})"', visitor.get("/").text)[1]
    response = visitor.get(address)
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for other in ("/static/souk.css", "/static/souk.css?v=000000000000", "/static/souk.css?v="):
        assert visitor.get(other).headers["Cache-Control"] == "no-cache"
    again = visitor.get(address, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304 and "immutable" in again.headers["Cache-Control"]
    assert visitor.get("/static/nothing.css?v=").headers["Cache-Control"] == "private, no-cache"


def test_what_neighbours_send_is_shown_and_never_run(customer, market):
    lamp = {**LAMP, "name": EVIL, "description": EVIL, "category": EVIL}
    market.answers["GET", "/api/catalog/products"] = (200, {"items": [lamp], "next": EVIL})
    market.answers["GET", "/api/catalog/categories"] = (
        200,
        {"items": [{"category": EVIL, "products": 1}], "next": None},
    )
    market.answers["GET", f"/api/catalog/products/{LAMP['sku']}"] = (200, lamp)
    market.cart["items"][0]["name"] = EVIL
    message = {"subject": EVIL, "body": EVIL, "at": EVIL}
    market.answers["GET", "/api/notifications"] = (200, {"items": [message], "next": EVIL})
    for path in ("/", f"/products/{LAMP['sku']}", "/cart", "/checkout", "/notifications"):
        html = customer.get(path).text
        assert "alert(&#39;x&#39;)" in html, path
        assert "<script>" not in html and "{{ 7*7 }}" in html, path


def test_what_is_searched_for_is_shown_and_never_run(visitor):
    html = visitor.get("/", query_string={"q": EVIL, "category": EVIL, "cursor": EVIL}).text
    assert "<script>" not in html and "&lt;script&gt;" in html


@pytest.mark.parametrize("bad", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"])
def test_signing_in_never_leads_away_from_the_shop(visitor, bad):
    form = hidden_fields(visitor.get("/sign-in", query_string={"next": bad}).text, "/sign-in")
    assert form["next"] == ["/"]
    response = visitor.post("/sign-in", {**form, "next": bad, "email": "a@b.example", "password": "x"})
    assert response.location == "/"
    html = visitor.get("/sign-up", query_string={"next": bad}).text
    assert "evil" not in html


def test_try_again_never_leads_away_from_the_shop(visitor, market):
    market.fail("GET", "/api/catalog/products")
    html = visitor.client.get("//evil.example/%2e%2e", headers={"Accept": "text/html"}).text
    assert 'href="//' not in html


@pytest.mark.parametrize("path", [path for path in OWN if not path.endswith("news")])
def test_a_stranger_is_led_to_sign_in_and_back(visitor, path):
    response = visitor.get(path)
    assert (response.status_code, response.location) == (303, f"/sign-in?next={path}")


def test_a_form_after_the_session_has_ended_leads_back_to_the_page_that_had_it(customer, market):
    market.fail("PUT", f"/api/carts/mine/items/{LAMP['sku']}", 401)
    form = hidden_fields(customer.get("/cart").text, f"/cart/{LAMP['sku']}")
    for referrer, following in [("http://localhost/cart", "/cart"), ("http://evil.example/cart", "/"), ("", "/")]:
        customer.sign_in()
        form = hidden_fields(customer.get("/cart").text, f"/cart/{LAMP['sku']}")
        response = customer.post(f"/cart/{LAMP['sku']}", {**form, "quantity": "2"}, Referer=referrer)
        assert response.location == f"/sign-in?next={following}"


def test_a_refused_token_signs_out_and_does_not_loop(customer, market):
    market.fail("GET", "/api/orders", 401)
    assert customer.get("/orders").location == "/sign-in?next=/orders"
    assert "Sign in" in customer.get("/sign-in?next=/orders").text
    assert customer.get("/cart").location == "/sign-in?next=/cart"


def signed_in_until(visitor, market, left_s):
    market.answers["POST", "/api/accounts/tokens"] = (200, tokens(expires_in=left_s, refresh_token="old"))
    visitor.sign_in()
    market.answers["POST", "/api/accounts/tokens"] = (200, tokens(refresh_token="new"))
    market.requests.clear()


def test_a_token_about_to_expire_is_renewed_once_and_nobody_notices(visitor, market):
    signed_in_until(visitor, market, 30)
    for _ in range(2):
        assert visitor.get("/orders").status_code == 200
    assert [body for _, body in market.asked("POST", "/api/accounts/tokens")] == [{"refresh_token": "old"}]


def test_a_token_with_time_left_is_not_renewed(visitor, market):
    signed_in_until(visitor, market, 300)
    assert visitor.get("/orders").status_code == 200
    assert market.asked("POST", "/api/accounts/tokens") == []


def test_two_requests_at_once_may_both_renew(make_app, market):
    app = make_app()
    first, second = Browser(app.test_client()), Browser(app.test_client())
    signed_in_until(first, market, 30)
    second.client.set_cookie("souk_session", first.client.get_cookie("souk_session").value)
    with ThreadPoolExecutor(2) as pool:
        statuses = [r.status_code for r in pool.map(lambda b: b.get("/orders"), (first, second))]
    assert statuses == [200, 200]
    assert {body["refresh_token"] for _, body in market.asked("POST", "/api/accounts/tokens")} == {"old"}


def test_a_refused_refresh_leads_to_sign_in(visitor, market):
    signed_in_until(visitor, market, -10)
    market.fail("POST", "/api/accounts/tokens", 401)
    assert visitor.get("/orders").location == "/sign-in?next=/orders"
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize(("left_s", "status"), [(30, 200), (-10, 503)])
def test_while_accounts_is_away_a_token_is_used_to_its_end(visitor, market, left_s, status):
    signed_in_until(visitor, market, left_s)
    market.fail("POST", "/api/accounts/tokens", 503)
    assert visitor.get("/orders").status_code == status
    market.answers["POST", "/api/accounts/tokens"] = (200, tokens())
    assert visitor.get("/orders").status_code == 200  # still signed in


def test_the_users_own_token_goes_out_and_no_other(customer, market):
    customer.get("/orders")
    [(headers, _)] = market.asked("GET", "/api/orders")
    scheme, _, token = headers["Authorization"].partition(" ")
    assert scheme == "Bearer" and token.count(".") == 2
    customer.get("/", headers={"Accept": "text/html", "Authorization": f"Bearer {user_token('mallory')}"})
    assert "Authorization" not in market.asked("GET", "/api/catalog/products")[-1][0]


def test_the_session_is_a_matter_of_wall_clock_seconds(visitor, market, monkeypatch):
    signed_in_until(visitor, market, 900)
    later = time.time() + 880
    monkeypatch.setattr("storefront.session.time.time", lambda: later)
    assert visitor.get("/orders").status_code == 200
    assert len(market.asked("POST", "/api/accounts/tokens")) == 1
