"""A shop at an address, of which the laboratory knows nothing else: it can be loaded, and nothing in it touched."""

from collections.abc import Mapping

import requests

from loadtests.lab.errors import CannotRun
from loadtests.lab.monitor import Monitor

TIMEOUT_S = 10.0
DOOR = "/api/catalog/products?limit=1"


class Elsewhere:
    """A machine of which we see nothing; only our own is watched."""

    def monitor(self, others: Mapping[str, int]) -> Monitor:
        return Monitor(None, others)


class Target:
    """`--target URL`. Raises CannotRun when no shop answers there."""

    registry: str | None = None
    keys = None
    place = Elsewhere()

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise CannotRun(f"--target {url!r} is no address: it begins with http:// or https://")
        try:
            answer = ask("GET", self.url + DOOR)
            is_shop = answer.status_code == 200 and "items" in answer.json()
        except requests.RequestException as error:
            raise CannotRun(f"the target {self.url} does not answer ({type(error).__name__})") from None
        except (ValueError, TypeError):
            is_shop = False
        if not is_shop:
            raise CannotRun(f"the target {self.url} is no shop: {DOOR} answered {answer.status_code}")


def ask(method: str, url: str, **options: object) -> requests.Response:
    """One request, straight to the address, whatever proxy is set. Raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **({"timeout": TIMEOUT_S} | options))  # type: ignore[arg-type]
