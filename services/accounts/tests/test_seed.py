import json

import pytest

from accounts.app import create_app
from accounts.seed import seed
from accounts.settings import Settings
from accounts.tests.helpers import bearer, sign_in
from chassis.migrate import upgrade
from chassis.testing import published

PASSWORDS = {"customer@souk.example": "a customer's password", "operator@souk.example": "an operator's password"}


@pytest.fixture
def settings(tmp_path):
    routes = {"account.registered": ["notifications"]}
    settings = Settings(
        souk_home=tmp_path, discovery_url="static:///nowhere.toml", argon2_memory_kib=8, event_routes=routes
    )
    upgrade("accounts", settings.database)
    keep(settings, PASSWORDS)
    return settings


def keep(settings, passwords):
    settings.passwords.write_text(json.dumps(passwords))


def client_of(settings):
    (settings.souk_home / "nowhere.toml").write_text("[services]\n")
    url = f"static://{settings.souk_home}/nowhere.toml"
    return create_app(settings.model_copy(update={"discovery_url": url})).test_client()


def test_both_users_can_sign_in_and_have_their_roles(settings):
    seed(settings)
    client = client_of(settings)
    roles = {}
    for email, password in PASSWORDS.items():
        tokens = sign_in(client, email=email, password=password).get_json()
        roles[email] = client.get("/api/accounts/me", headers=bearer(tokens)).get_json()["roles"]
    assert roles == {
        "customer@souk.example": ["customer"], "operator@souk.example": ["customer", "operator"],
    }  # fmt: skip


def test_seeding_again_changes_nothing_and_never_tells_anybody(settings):
    seed(settings)
    client = client_of(settings)
    keys = client.get("/api/accounts/.well-known/jwks.json").get_json()
    seed(settings)
    assert client.get("/api/accounts/.well-known/jwks.json").get_json() == keys
    assert published(client.application) == []


def test_a_changed_password_is_taken_over(settings):
    seed(settings)
    keep(settings, {**PASSWORDS, "customer@souk.example": "another password"})
    seed(settings)
    client = client_of(settings)
    assert sign_in(client, email="customer@souk.example", password="another password").status_code == 200
    old = PASSWORDS["customer@souk.example"]
    assert sign_in(client, email="customer@souk.example", password=old).status_code == 401
    assert (
        sign_in(client, email="operator@souk.example", password=PASSWORDS["operator@souk.example"]).status_code == 200
    )


def test_the_file_can_be_elsewhere(settings, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    settings.passwords.rename(elsewhere)
    seed(settings.model_copy(update={"passwords_file": elsewhere}))
    assert (
        sign_in(client_of(settings), email="customer@souk.example", password="a customer's password").status_code == 200
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no"), ("{", "has no password for customer@souk.example"), ("[]", "has no password"),
        ("{}", "KeyError"),
        (json.dumps({**PASSWORDS, "operator@souk.example": "short"}), "the password for operator@souk.example"),
        (json.dumps({**PASSWORDS, "operator@souk.example": 17}), "cannot be used"),
    ],
)  # fmt: skip
def test_a_missing_or_bad_file_is_said_clearly_and_makes_nobody(settings, content, message):
    settings.passwords.unlink()
    if content is not None:
        settings.passwords.write_text(content)
    with pytest.raises(SystemExit, match=message) as caught:
        seed(settings)
    assert "an operator's password" not in str(caught.value)
    response = sign_in(client_of(settings), email="customer@souk.example", password="a customer's password")
    assert response.status_code == 401
