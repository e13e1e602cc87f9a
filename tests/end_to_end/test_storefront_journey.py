"""An order by the shop's pages, as a browser without scripts places it: follow links, fill in forms."""

import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
import requests

from bench.customer import ACCEPTED, DECLINED
from bench.system import System, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
SKU = "SOUK-000050"


class Page(HTMLParser):
    """A page's links, its forms with what is filled in already, and where its script asks for news."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.answer, self.text = answer, answer.text
        self.links: list[str] = []
        self.forms: dict[str, dict[str, list[str]]] = {}
        self.news = ""
        self._form: dict[str, list[str]] = {}
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.news = given.get("data-news", self.news)
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "form":
            self._form = self.forms.setdefault(given.get("action", ""), {})
        elif tag == "input" and "name" in given and (given.get("type") != "radio" or "checked" in given):
            self._form.setdefault(given["name"], []).append(given.get("value", ""))


class Browser:
    """Keeps cookies, and goes where it is sent."""

    def __init__(self, shop: str) -> None:
        self.shop = shop
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept"] = "text/html"

    def open(self, path: str, status: int = 200) -> Page:
        return self._page(self.session.get(urljoin(self.shop, path), timeout=30), status)

    def send(self, page: Page, action: str, status: int = 200, **filled_in: str) -> Page:
        """Send a form of the page with all that it has hidden inside."""
        data = page.forms[action] | filled_in
        return self._page(self.session.post(urljoin(self.shop, action), data=data, timeout=30), status)

    def news(self, page: Page) -> dict:
        answer = self.session.get(urljoin(self.shop, page.news), headers={"Accept": "application/json"}, timeout=30)
        assert answer.status_code == 200
        return answer.json()

    def _page(self, answer: requests.Response, status: int) -> Page:
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"].startswith("text/html")
        return Page(answer)


@pytest.fixture
def browser(system: System) -> Iterator[Browser]:
    browser = Browser(system.gateway)
    yield browser
    browser.session.close()


@pytest.fixture
def signed_up(browser: Browser) -> Browser:
    page = browser.open("/sign-up")
    person = {"name": "Nadia", "email": f"{uuid.uuid4().hex}@souk.example", "password": "open, sesame"}
    page = browser.send(page, "/sign-up", **person)
    assert "Welcome, Nadia" in page.text
    return browser


def checkout(browser: Browser) -> Page:
    """Put a product into the cart, as found on its page, and go to the checkout."""
    page = browser.open(f"/products/{SKU}")
    cart = browser.send(page, "/cart", quantity="2")
    assert f"/products/{SKU}" in cart.links
    assert "/checkout" in cart.links
    return browser.open("/checkout")


def test_an_order_by_the_pages_is_confirmed(system: System, signed_up: Browser) -> None:
    listing = signed_up.open("/")
    assert any(link.startswith("/products/SOUK-") for link in listing.links)
    form = checkout(signed_up)
    order = signed_up.send(form, "/checkout", card=ACCEPTED)
    assert order.answer.url.startswith(f"{system.gateway}/orders/")

    news = eventually(lambda: ended(signed_up, order))
    assert (news["state"], news["payment"]) == ("CONFIRMED", "CAPTURED")
    assert "Confirmed" in news["html"]
    assert "Confirmed" in signed_up.open(order.answer.url).text

    # The form sent again, as by an impatient double click, shows the same order.
    again = signed_up.send(form, "/checkout", card=ACCEPTED)
    assert again.answer.url == order.answer.url
    orders = signed_up.open("/orders")
    assert len({link for link in orders.links if link.startswith("/orders/")}) == 1
    eventually(lambda: "is confirmed" in signed_up.open("/notifications").text)
    eventually(lambda: "nothing in it yet" in signed_up.open("/cart").text)


def ended(browser: Browser, order: Page) -> dict | None:
    # The page of an order that has ended already asks for no more news, but says where they would be.
    news = browser.news(order)
    return news if news["final"] and news["payment"] else None


def test_a_declined_card_is_told_on_the_page(signed_up: Browser) -> None:
    order = signed_up.send(checkout(signed_up), "/checkout", card=DECLINED)
    news = eventually(lambda: ended(signed_up, order))
    assert news["state"] == "CANCELLED"
    page = signed_up.open(order.answer.url)
    assert "Cancelled" in page.text
    assert not any("cancellation" in action for action in page.forms)


def test_a_form_without_its_token_changes_nothing(signed_up: Browser) -> None:
    page = checkout(signed_up)
    del page.forms["/checkout"]["csrf_token"]
    refused = signed_up.send(page, "/checkout", status=400, card=ACCEPTED)
    assert "Go back" in refused.text
    assert not any(link.startswith("/orders/") for link in signed_up.open("/orders").links)


def test_a_visitor_is_led_to_the_sign_in_and_back(browser: Browser) -> None:
    page = browser.open("/cart")
    assert "/sign-in" in page.answer.url
    assert page.forms["/sign-in"]["next"] == ["/cart"]
    wrong = browser.send(page, "/sign-in", status=422, email="customer@souk.example", password="not this one")
    assert "do not belong together" in wrong.text


def test_what_is_not_there_is_a_page_for_a_browser_and_a_problem_for_a_program(browser: Browser, visitor) -> None:
    page = browser.open("/products/SOUK-999999", status=404)
    assert page.answer.headers["X-Trace-Id"] in page.text
    answer = visitor.ask("GET", "/products/SOUK-999999", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
