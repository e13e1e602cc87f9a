"""What the tests of accounts say often."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


def registration(**changes: Any) -> dict[str, Any]:
    return {"email": EMAIL, "password": PASSWORD, "name": "Ada", **changes}


def credentials(**changes: Any) -> dict[str, Any]:
    return {"email": EMAIL, "password": PASSWORD, **changes}


def register(client: Any, **changes: Any) -> Any:
    return client.post("/api/accounts/users", json=registration(**changes))


def sign_in(client: Any, **changes: Any) -> Any:
    return client.post("/api/accounts/tokens", json=credentials(**changes))


def refresh(client: Any, token: str) -> Any:
    return client.post("/api/accounts/tokens", json={"refresh_token": token})


def signed_in(client: Any) -> dict[str, Any]:
    """A new user's tokens."""
    assert register(client).status_code == 201
    response = sign_in(client)
    assert response.status_code == 200
    return response.get_json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def all_at_once(count: int, work: Any) -> list[Any]:
    """`work(0)`, `work(1)`, … in as many threads; their results."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))
