"""New signing keys while customers are signed in: no request fails, and no valid token is lost."""

import threading
import time
from collections.abc import Iterator

import jwt
import pytest

from bench.customer import Customer
from bench.system import System, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(300)]

READS = ("/api/accounts/me", "/api/carts/mine", "/api/orders", "/api/notifications")


@pytest.fixture(scope="module")
def shop() -> Iterator[System]:
    with System() as system:
        system.up()
        system.scale(accounts=2, orders=2)
        yield system


class Regular(Customer):
    """Reads everywhere without a pause. The token is that of the first sign-in, or a new one before each round."""

    def __init__(self, shop: System, signs_in_anew: bool) -> None:
        super().__init__(shop.gateway)
        self.signs_in_anew = signs_in_anew
        self.failures: list[str] = []
        self.kids: list[str] = []
        self.reads = 0
        someone = shop.customer()
        self.email, self.password = someone.email, someone.password
        self._note_kid()

    def _note_kid(self) -> None:
        token = self.sign_in(self.email, self.password)["access_token"]
        self.kids.append(jwt.get_unverified_header(token)["kid"])

    def shop_until(self, closing: threading.Event) -> None:
        while not closing.wait(0.05):
            if self.signs_in_anew:
                self._note_kid()
            for path in READS:
                answer = self.ask("GET", path)
                self.reads += 1
                if answer.status_code != 200:
                    self.failures.append(f"{path}: {answer.status_code} {answer.text}")


def test_two_rotations_under_signed_in_customers(shop: System) -> None:
    regulars = [Regular(shop, signs_in_anew) for signs_in_anew in (True, True, False, False)]
    closing = threading.Event()
    threads = [threading.Thread(target=regular.shop_until, args=(closing,)) for regular in regulars]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = regulars[0].kids[-1]
            shop.souk("keys", "rotate")
            eventually(lambda before=before: all(r.kids[-1] != before for r in regulars if r.signs_in_anew))
            time.sleep(3)  # longer than a key set is cached
    finally:
        closing.set()
        for thread in threads:
            thread.join()
    for regular in regulars:
        assert regular.failures == []
        assert regular.reads > 20
        assert len(set(regular.kids)) == (3 if regular.signs_in_anew else 1)
        regular.close()
