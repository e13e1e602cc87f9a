from datetime import timedelta

import jwt
import pytest
from sqlalchemy import select, update

from accounts import keys
from accounts.models import SigningKey
from accounts.settings import Settings
from accounts.tests.helpers import all_at_once, bearer, register, sign_in, signed_in
from accounts.tests.test_usecases import clean
from chassis.database import utc_now
from chassis.errors import Unauthenticated
from chassis.identity import REFETCH_S, KeySet
from chassis.testing import as_service
from chassis.testing_postgres import on_both_databases

JWKS = "/api/accounts/.well-known/jwks.json"


def rotate(app):
    response = app.test_client().post("/internal/keys/rotate", json={}, headers=as_service("accounts", "cli"))
    assert response.status_code == 201
    return response.get_json()["kid"]


def kids(app):
    return [key["kid"] for key in app.test_client().get(JWKS).get_json()["keys"]]


def kid_of(tokens):
    return jwt.get_unverified_header(tokens["access_token"])["kid"]


def pass_time(app, seconds):
    """Make all keys older by so many seconds."""
    with app.extensions["souk.database"].transaction() as session:
        for key in session.scalars(select(SigningKey)):
            older = key.active_from - timedelta(seconds=seconds)
            session.execute(update(SigningKey).where(SigningKey.number == key.number).values(active_from=older))


def me(app, tokens):
    return app.test_client().get("/api/accounts/me", headers=bearer(tokens)).status_code


@on_both_databases
def test_replicas_that_start_together_make_one_first_key(make_app):
    replicas = [make_app() for _ in range(3)]
    seen = all_at_once(12, lambda i: tuple(kids(replicas[i % 3])))
    assert len(set(seen)) == 1 and len(seen[0]) == 1


def test_the_first_key_signs_at_once_also_with_a_clock_that_is_behind(app, client):
    signed_in(client)
    pass_time(app, -60)
    assert sign_in(client).status_code == 200


def test_a_new_key_is_published_before_it_signs(app, client):
    first = kid_of(signed_in(client))
    second = rotate(app)
    assert kids(app) == [second, first]
    assert kid_of(sign_in(client).get_json()) == first
    pass_time(app, Settings().key_activation_s)
    assert kid_of(sign_in(client).get_json()) == second


def test_every_replica_signs_with_the_new_key_from_the_same_moment(make_app):
    replicas = [make_app(key_activation_s=0) for _ in range(3)]
    register(replicas[0].test_client())
    second = rotate(replicas[1])
    assert {kid_of(sign_in(app.test_client()).get_json()) for app in replicas} == {second}


def test_a_token_of_the_old_key_stays_good_after_the_rotation_on_every_replica(make_app):
    replicas = [make_app(key_activation_s=0) for _ in range(2)]
    old = signed_in(replicas[0].test_client())
    rotate(replicas[1])
    assert [me(app, old) for app in (*replicas, make_app())] == [200] * 3


def test_a_verifier_that_asked_at_the_worst_moment_loses_no_token(app, client):
    """It fetches the keys just before the rotation, and may not ask again for REFETCH_S."""
    now = [0.0]
    verifier = KeySet(lambda: client.get(JWKS).get_json(), None, clock=lambda: now[0])
    verifier.get(kid_of(signed_in(client)))
    second = rotate(app)
    with pytest.raises(Unauthenticated):
        verifier.get(second)  # it would refuse a token that was signed now
    now[0] += Settings().key_activation_s
    assert verifier.get(second).key_id == second


def test_a_key_becomes_active_later_than_any_verifier_may_still_be_without_it(client):
    max_age = int(client.get(JWKS).headers["Cache-Control"].partition("max-age=")[2])
    assert Settings().key_activation_s > REFETCH_S + max_age


@on_both_databases
def test_an_old_key_is_forgotten_when_its_last_token_has_expired_and_not_before(make_app):
    app = make_app(key_activation_s=0)
    old = kid_of(signed_in(app.test_client()))
    new = rotate(app)
    pass_time(app, 900 + 60)
    clean(app)
    assert kids(app) == [new, old]
    pass_time(app, keys.MARGIN_S + 1)
    assert kids(app) == [new]
    clean(app)
    assert keys_in_database(app) == [new]


def keys_in_database(app):
    with app.extensions["souk.database"].reading() as session:
        return list(session.scalars(select(SigningKey.kid)))


@on_both_databases
def test_rotations_at_the_same_time_leave_keys_that_all_work(make_app):
    replicas = [make_app(key_activation_s=0) for _ in range(3)]
    register(replicas[0].test_client())

    def work(i):
        client = replicas[i % 3].test_client()
        if i % 2:
            return client.post("/internal/keys/rotate", headers=as_service("accounts", "cli")).status_code
        return sign_in(client).get_json()

    answers = all_at_once(12, work)
    assert set(answers[1::2]) <= {201, 409} and 201 in answers[1::2]
    fresh = make_app()
    assert {me(fresh, tokens) for tokens in answers[::2]} == {200}


def test_the_private_key_leaves_the_database_by_no_answer(app, client):
    signed_in(client)
    kid = rotate(app)
    with app.extensions["souk.database"].reading() as session:
        pem = session.scalars(select(SigningKey.private_pem).where(SigningKey.kid == kid)).one()
    assert pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert all("d" not in key for key in client.get(JWKS).get_json()["keys"])


def test_a_new_key_becomes_active_in_the_future(app):
    response = app.test_client().post("/internal/keys/rotate", headers=as_service("accounts", "cli"))
    assert response.get_json()["active_from"] > utc_now().isoformat()
