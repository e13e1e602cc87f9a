from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select

from accounts.models import Family, RefreshToken, User
from accounts.tests.helpers import all_at_once, bearer, refresh, register, sign_in, signed_in
from chassis.testing import assert_problem, published
from chassis.testing_postgres import on_both_databases


def count(app, model):
    with app.extensions["souk.database"].reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def clean(app):
    [housekeeping] = [b for b in app.extensions["souk.background"] if getattr(b, "name", "") == "housekeeping"]
    housekeeping.work()


@on_both_databases
def test_of_many_who_register_one_email_on_three_replicas_one_gets_it(make_app):
    replicas = [make_app() for _ in range(3)]
    answers = all_at_once(60, lambda i: register(replicas[i % 3].test_client()).status_code)
    assert Counter(answers) == {201: 1, 409: 59}
    assert count(replicas[0], User) == 1
    assert len(published(replicas[0])) == 1


def test_a_retry_of_a_refresh_within_the_grace_gets_a_working_token_and_signs_nobody_out(client):
    old = signed_in(client)["refresh_token"]
    first = refresh(client, old).get_json()["refresh_token"]
    retry = refresh(client, old).get_json()["refresh_token"]
    assert first != retry
    assert refresh(client, first).status_code == 200
    assert refresh(client, retry).status_code == 200


@on_both_databases
def test_many_refreshes_at_once_on_three_replicas_all_get_working_tokens(make_app):
    replicas = [make_app() for _ in range(3)]
    old = signed_in(replicas[0].test_client())["refresh_token"]
    answers = all_at_once(24, lambda i: refresh(replicas[i % 3].test_client(), old))
    assert {answer.status_code for answer in answers} == {200}
    tokens = {answer.get_json()["refresh_token"] for answer in answers}
    assert len(tokens) == 24
    assert {refresh(replicas[0].test_client(), token).status_code for token in tokens} == {200}


@on_both_databases
def test_a_refresh_token_that_is_used_after_the_grace_ends_everything_of_its_sign_in(make_app):
    client = make_app(refresh_grace_s=0).test_client()
    stolen = signed_in(client)["refresh_token"]
    elsewhere = sign_in(client).get_json()["refresh_token"]
    newer = refresh(client, stolen).get_json()["refresh_token"]
    assert_problem(refresh(client, stolen), 401)
    assert_problem(refresh(client, newer), 401)
    assert refresh(client, elsewhere).status_code == 200


def test_the_grace_counts_from_the_first_use_not_from_the_last(make_app):
    patient, strict = make_app(), make_app(refresh_grace_s=0)
    old = signed_in(patient.test_client())["refresh_token"]
    for _ in range(3):
        assert refresh(patient.test_client(), old).status_code == 200
    assert_problem(refresh(strict.test_client(), old), 401)


@on_both_databases
def test_no_refresh_outlives_a_sign_out_that_happens_at_the_same_time(make_app):
    replicas = [make_app() for _ in range(3)]
    tokens = signed_in(replicas[0].test_client())

    def work(i):
        client = replicas[i % 3].test_client()
        if i == 6:
            return client.delete("/api/accounts/tokens", headers=bearer(tokens))
        return refresh(client, tokens["refresh_token"])

    answers = all_at_once(12, work)
    assert answers.pop(6).status_code == 204
    assert {answer.status_code for answer in answers} <= {200, 401}
    for answer in answers:
        if answer.status_code == 200:
            assert_problem(refresh(replicas[0].test_client(), answer.get_json()["refresh_token"]), 401)


@on_both_databases
def test_an_expired_refresh_token_is_refused_and_cleaned_away(make_app):
    app = make_app(refresh_token_days=1e-9)
    client = app.test_client()
    tokens = signed_in(client)
    assert_problem(refresh(client, tokens["refresh_token"]), 401)
    clean(app)
    assert (count(app, RefreshToken), count(app, Family), count(app, User)) == (0, 0, 1)


def test_cleaning_keeps_what_is_still_good(app, client):
    tokens = signed_in(client)
    clean(app)
    assert refresh(client, tokens["refresh_token"]).status_code == 200


def test_a_refresh_token_lives_as_long_as_the_setting_says(make_app):
    app = make_app(refresh_token_days=7)
    signed_in(app.test_client())
    with app.extensions["souk.database"].reading() as session:
        user, token = session.scalars(select(User)).one(), session.scalars(select(RefreshToken)).one()
    assert timedelta(0) <= token.expires_at - user.created_at - timedelta(days=7) < timedelta(minutes=5)


def test_nobody_can_read_a_refresh_token_in_the_database(app, client):
    token = signed_in(client)["refresh_token"]
    with app.extensions["souk.database"].reading() as session:
        assert token not in session.scalars(select(RefreshToken.token_hash)).all()


def test_a_password_is_hashed_anew_when_the_parameters_have_changed(make_app):
    register(make_app(argon2_passes=1).test_client())
    app = make_app(argon2_passes=2)
    assert sign_in(app.test_client()).status_code == 200
    with app.extensions["souk.database"].reading() as session:
        assert ",t=2," in session.scalars(select(User)).one().password_hash
    assert sign_in(app.test_client()).status_code == 200


def test_the_token_of_an_account_that_is_gone_is_refused(app, client):
    tokens = signed_in(client)
    client.delete("/api/accounts/tokens", headers=bearer(tokens))
    with app.extensions["souk.database"].transaction() as session:
        session.delete(session.scalars(select(User)).one())
    assert_problem(client.get("/api/accounts/me", headers=bearer(tokens)), 401)
