"""One customer of the shop, by plain HTTP through the gateway."""

import time
import uuid
from typing import Any

import requests

ACCEPTED, DECLINED, ANSWERED_LATE = "4242424242424242", "4000000000000002", "4000000000000259"
ENDS = ("CONFIRMED", "CANCELLED")
BUSY = (429, 503, 504)
TIMEOUT_S = 30.0
PATIENCE_S = 90.0


class Customer:
    """Keeps its connection and its token. To be used by one thread at a time."""

    def __init__(self, shop: str) -> None:
        self.shop = shop
        self.email = self.password = ""  # nosec B105 # not yet known
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the user's is not meant for this machine

    @property
    def authorization(self) -> str:
        """The header that says who asks."""
        return str(self._session.headers["Authorization"])

    def close(self) -> None:
        self._session.close()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; what comes back, errors too."""
        options = {"timeout": TIMEOUT_S} | options
        try:
            return self._session.request(method, self.shop + path, **options)
        except requests.ConnectionError:
            # nginx closes idle connections when it reloads. A request that meets the closing was not looked at.
            return self._session.request(method, self.shop + path, **options)
        except requests.exceptions.ChunkedEncodingError:
            # Whoever answered died in the middle of it. What was asked for is done, perhaps.
            if method == "POST" and "Idempotency-Key" not in options.get("headers", {}):
                raise
            return self._session.request(method, self.shop + path, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The document at a path. Raises requests.HTTPError."""
        return self.must("GET", path, **options).json()

    def must(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request that has to succeed. Raises requests.HTTPError, with the problem in its words."""
        answer = self.ask(method, path, **options)
        if answer.status_code >= 400:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
        return answer

    def sign_up(self, email: str, password: str) -> dict[str, Any]:
        """Open an account, and sign in."""
        body = {"email": email, "password": password, "name": "A customer"}
        account: dict[str, Any] = self.must("POST", "/api/accounts/users", json=body).json()
        self.sign_in(email, password)
        return account

    def sign_in(self, email: str, password: str) -> dict[str, Any]:
        self.email, self.password = email, password
        body = {"email": email, "password": password}
        tokens: dict[str, Any] = self.must("POST", "/api/accounts/tokens", json=body).json()
        self._session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens

    def place(self, lines: dict[str, int], card: str = ACCEPTED, key: str | None = None) -> requests.Response:
        """Order so many pieces of each sku; the answer, whatever it is."""
        body = {"lines": [{"sku": sku, "quantity": n} for sku, n in lines.items()], "payment": {"card": card}}
        return self.ask("POST", "/api/orders", json=body, headers={"Idempotency-Key": key or uuid.uuid4().hex})

    def insist(self, lines: dict[str, int], card: str = ACCEPTED) -> requests.Response:
        """Order, and again under the same key for as long as the shop is too busy or cannot be reached."""
        key, deadline = uuid.uuid4().hex, time.monotonic() + PATIENCE_S
        while True:
            answer = self.place(lines, card, key)
            if answer.status_code not in BUSY or time.monotonic() > deadline:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", 0.1)))

    def follow(self, placed: requests.Response, pause_s: float = 0.05) -> dict[str, Any]:
        """The order when it has ended. Raises AssertionError when it was not taken, or does not end in time."""
        if placed.status_code != 202:
            raise AssertionError(f"the order was not taken: {placed.status_code} {placed.text}")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self.ask("GET", placed.headers["Location"])
            order: dict[str, Any] = answer.json()
            # A replica that has just been killed is a 503 until the gateway knows.
            if answer.status_code == 200 and order["state"] in ENDS:
                return order
            if time.monotonic() > deadline:
                raise AssertionError(f"the order does not end: {answer.status_code} {order}")
            time.sleep(pause_s)
