import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import jwt
import pytest

from accounts.tests.helpers import (
    EMAIL,
    PASSWORD,
    bearer,
    credentials,
    refresh,
    register,
    registration,
    sign_in,
    signed_in,
)
from chassis.errors import Unavailable
from chassis.testing import assert_problem, bad_bodies, bad_service_tokens, bad_tokens, published

WRONG = "another password"


def test_registering_answers_201_with_the_user_and_without_the_password(client):
    response = register(client)
    user = response.get_json()
    assert response.status_code == 201
    assert user == {"id": user["id"], "email": EMAIL, "name": "Ada", "roles": ["customer"]}


def test_registering_tells_who_wants_to_know(app, client):
    user = register(client).get_json()
    data = {"user_id": user["id"], "email": EMAIL, "name": "Ada"}
    assert published(app) == [
        {"type": "account.registered", "subject": user["id"], "subscriber": "notifications", "data": data}
    ]


def test_an_email_that_is_taken_is_a_conflict_in_any_case_and_tells_nobody(app, client):
    register(client)
    assert_problem(register(client, email=EMAIL.upper()), 409)
    assert len(published(app)) == 1


def test_an_email_keeps_the_case_in_which_it_was_given_and_signs_in_in_any(client):
    register(client, email="Ada@Example.com")
    assert sign_in(client, email="aDA@eXAMPLE.COM").status_code == 200


@pytest.mark.parametrize("body", bad_bodies(registration()), ids=lambda body: body.name)
def test_a_bad_registration_is_refused(client, body):
    response = client.post("/api/accounts/users", data=body.raw, content_type=body.content_type)
    assert_problem(response, body.status)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada"), ("email", "ada@example"), ("email", "a b@example.com"), ("email", "ada@example.com\n"),
        ("email", "a" * 65 + "@example.com"), ("email", "a@" + "b." * 130 + "example"), ("email", ""),
        ("password", "too short"), ("password", "x" * 129), ("password", ""),
        ("name", ""), ("name", " "), ("name", "x" * 101), ("name", "Ada\nLovelace"),
    ],
)  # fmt: skip
def test_a_registration_with_a_bad_value_names_the_field(client, field, value):
    problem = assert_problem(register(client, **{field: value}), 422)
    assert [error["field"] for error in problem["errors"]] == [field]


def test_no_refusal_repeats_the_password(client):
    for response in (register(client, password="secret"), sign_in(client, password="secret" * 30)):
        assert "secret" not in response.get_data(as_text=True)


def test_names_and_passwords_may_be_in_any_script(client):
    register(client, name="Ἀσπασία 🏺", password="пароль-из-слов")
    assert sign_in(client, password="пароль-из-слов").status_code == 200


def test_signing_in_answers_both_tokens_and_no_cache_keeps_them(client):
    register(client)
    response = sign_in(client)
    tokens = response.get_json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert response.headers["Cache-Control"] == "no-store"


def test_the_access_token_says_who_it_is_and_is_checked_with_the_public_key(client):
    tokens = signed_in(client)
    published_keys = client.get("/api/accounts/.well-known/jwks.json").get_json()
    key = jwt.PyJWK(published_keys["keys"][0])
    claims = jwt.decode(tokens["access_token"], key, algorithms=["ES256"], issuer="souk", audience="souk")
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] == key.key_id
    assert claims["sub"] == client.get("/api/accounts/me", headers=bearer(tokens)).get_json()["id"]
    assert (claims["roles"], claims["exp"] - claims["iat"]) == (["customer"], 900)


def test_a_wrong_password_and_an_unknown_email_are_told_in_the_same_words(client):
    register(client)
    wrong = assert_problem(sign_in(client, password=WRONG), 401)
    unknown = assert_problem(sign_in(client, email="nobody@example.com"), 401)
    assert wrong["detail"] == unknown["detail"]


@pytest.mark.parametrize("body", bad_bodies(credentials()), ids=lambda body: body.name)
def test_a_bad_sign_in_is_refused(client, body):
    response = client.post("/api/accounts/tokens", data=body.raw, content_type=body.content_type)
    assert_problem(response, body.status)


@pytest.mark.parametrize("body", bad_bodies({"refresh_token": "x" * 43}), ids=lambda body: body.name)
def test_a_bad_refresh_is_refused(client, body):
    response = client.post("/api/accounts/tokens", data=body.raw, content_type=body.content_type)
    assert_problem(response, body.status)


def test_a_refresh_token_beside_credentials_is_refused(client):
    assert_problem(client.post("/api/accounts/tokens", json=credentials(refresh_token="x")), 422)


def test_too_many_failures_are_slowed_down_for_this_email_alone(make_app):
    client = make_app(sign_in_failures_per_min=3).test_client()
    register(client)
    register(client, email="bob@example.com")
    assert [sign_in(client, password=WRONG).status_code for _ in range(3)] == [401] * 3
    assert_problem(sign_in(client, password=WRONG), 429)
    assert_problem(sign_in(client, email=EMAIL.upper()), 429)
    assert sign_in(client, email="bob@example.com").status_code == 200


def test_with_redis_whoever_guesses_has_no_more_tries_on_more_replicas(make_app, redis):
    limit = {"sign_in_failures_per_min": 2, "redis_url": redis.url, "redis_timeout_ms": 20_000}
    apps = [make_app(**limit) for _ in range(3)]
    for app in apps:
        app.extensions["souk.shared_limits"].probe()
    one, other, third = (app.test_client() for app in apps)
    register(one)
    assert [sign_in(client, password=WRONG).status_code for client in (one, other)] == [401, 401]
    for client in (one, other, third):
        assert_problem(sign_in(client, password=WRONG), 429)
    with redis.client() as inside:
        (key,) = inside.keys("souk:accounts:failures:*")
        assert EMAIL not in key


def test_guesses_side_by_side_are_looked_at_no_more_often(make_app, redis, monkeypatch):
    limit = {"sign_in_failures_per_min": 2, "redis_url": redis.url, "redis_timeout_ms": 20_000}
    apps, looked_at = [make_app(**limit) for _ in range(2)], []

    def matches(_, password):
        looked_at.append(password)
        time.sleep(0.2)  # all who may look do so side by side

    for app in apps:
        app.extensions["souk.shared_limits"].probe()
        monkeypatch.setattr(app.extensions["accounts.passwords"], "matches", matches)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda app: sign_in(app.test_client(), password=WRONG).status_code, apps * 4)
        assert sorted(answers) == [401] * 2 + [429] * 6
    assert len(looked_at) == 2


def test_only_a_wrong_password_is_counted(make_app, monkeypatch):
    app = make_app(sign_in_failures_per_min=2)
    client, passwords = app.test_client(), app.extensions["accounts.passwords"]
    register(client)
    assert [sign_in(client).status_code for _ in range(6)] == [200] * 6
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "matches", Mock(side_effect=Unavailable("too many people are signing in; try again")))
        assert [sign_in(client, password=WRONG).status_code for _ in range(6)] == [503] * 6
    assert [sign_in(client, password=WRONG).status_code for _ in range(3)] == [401, 401, 429]


def test_a_refresh_token_is_traded_for_new_tokens(client):
    first = signed_in(client)
    second = refresh(client, first["refresh_token"])
    assert second.status_code == 200
    assert second.get_json()["refresh_token"] != first["refresh_token"]
    assert client.get("/api/accounts/me", headers=bearer(second.get_json())).status_code == 200


def test_an_unknown_refresh_token_is_refused(client):
    assert_problem(refresh(client, "x" * 43), 401)


def test_signing_out_with_a_refresh_token_ends_this_sign_in_only(client):
    here = signed_in(client)
    there = sign_in(client).get_json()
    newer = refresh(client, here["refresh_token"]).get_json()
    body = {"refresh_token": here["refresh_token"]}
    assert client.delete("/api/accounts/tokens", json=body, headers=bearer(here)).status_code == 204
    assert_problem(refresh(client, newer["refresh_token"]), 401)
    assert refresh(client, there["refresh_token"]).status_code == 200


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"content_type": "application/json"}])
def test_signing_out_without_one_ends_all_of_the_users(client, options):
    here, there = signed_in(client), sign_in(client).get_json()
    for _ in range(2):
        response = client.delete("/api/accounts/tokens", headers=bearer(here), **options)
        assert (response.status_code, response.data) == (204, b"")
    assert_problem(refresh(client, here["refresh_token"]), 401)
    assert_problem(refresh(client, there["refresh_token"]), 401)


def test_nobody_can_sign_another_user_out(client):
    ada = signed_in(client)
    register(client, email="bob@example.com")
    bob = sign_in(client, email="bob@example.com").get_json()
    body = {"refresh_token": ada["refresh_token"]}
    assert client.delete("/api/accounts/tokens", json=body, headers=bearer(bob)).status_code == 204
    assert refresh(client, ada["refresh_token"]).status_code == 200


BAD_SIGN_OUTS = [body for body in bad_bodies({"refresh_token": "x"}, optional=["refresh_token"]) if body.raw]


@pytest.mark.parametrize("body", BAD_SIGN_OUTS, ids=lambda body: body.name)
def test_a_bad_sign_out_is_refused(client, body):
    headers = bearer(signed_in(client))
    response = client.delete("/api/accounts/tokens", data=body.raw, content_type=body.content_type, headers=headers)
    assert_problem(response, body.status)


@pytest.mark.parametrize("method_path", [("GET", "/api/accounts/me"), ("DELETE", "/api/accounts/tokens")])
@pytest.mark.parametrize("headers", bad_tokens().values(), ids=bad_tokens().keys())
def test_a_bad_token_is_refused(client, method_path, headers):
    method, path = method_path
    assert_problem(client.open(path, method=method, headers=headers), 401)


@pytest.mark.parametrize("headers", bad_service_tokens("accounts").values(), ids=bad_service_tokens("accounts").keys())
def test_only_our_services_may_rotate_the_keys(client, headers):
    assert_problem(client.post("/internal/keys/rotate", headers=headers), 401)


def test_a_user_may_not_rotate_the_keys(client):
    assert_problem(client.post("/internal/keys/rotate", headers=bearer(signed_in(client))), 401)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/api/accounts/users", 405), ("GET", "/api/accounts/tokens", 405), ("POST", "/api/accounts/me", 405),
        ("GET", "/internal/keys/rotate", 405), ("GET", "/api/accounts/users/1", 404), ("GET", "/api/accounts/%00", 404),
        ("GET", "/api/accounts/%FF", 404), ("GET", "/api/accounts/../../etc/passwd", 404),
    ],
)  # fmt: skip
def test_other_paths_and_methods_are_problems_too(client, method, path, status):
    assert_problem(client.open(path, method=method), status)


def test_the_key_set_holds_public_keys_only_and_may_be_cached_for_a_moment(client):
    response = client.get("/api/accounts/.well-known/jwks.json")
    [key] = response.get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert response.headers["Cache-Control"] == "public, max-age=2"


def test_the_api_describes_itself(client):
    paths = client.get("/api/accounts/openapi.json").get_json()["paths"]
    assert {"/api/accounts/users", "/api/accounts/tokens", "/api/accounts/me"} <= set(paths)


def test_the_password_is_kept_as_an_argon2id_hash(app, client):
    from sqlalchemy import select

    from accounts.models import User

    register(client)
    with app.extensions["souk.database"].reading() as session:
        kept = session.scalars(select(User)).one().password_hash
    assert kept.startswith("$argon2id$") and PASSWORD not in kept
