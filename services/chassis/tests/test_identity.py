"""Who may in: tokens of users and of services, and the keys to check them, also when accounts is away."""

import json
import threading
import time

import pytest

from chassis.calls import use_calls
from chassis.errors import Unauthenticated, Unavailable
from chassis.identity import (
    JWKS_PATH,
    LEEWAY_S,
    REFETCH_S,
    Caller,
    KeySet,
    caller,
    requires,
    requires_service,
    use_identity,
)
from chassis.settings import ChassisSettings
from chassis.testing import (
    Neighbour,
    as_operator,
    as_service,
    as_user,
    assert_problem,
    bad_service_tokens,
    bad_tokens,
    key_set,
    make_test_app,
    user_token,
)
from chassis.web import make_app


class Settings(ChassisSettings):
    service = "shop"


def create_app(settings):
    app = make_app(settings)
    use_identity(app, settings, use_calls(app, settings))

    @app.get("/mine")
    @requires()
    def mine():
        return {"id": caller().id, "roles": sorted(caller().roles)}

    @app.get("/till")
    @requires("operator")
    def till():
        return {"ok": True}

    @app.post("/internal/thing")
    @requires_service()
    def internal():
        return {"ok": True}

    return app


@pytest.fixture
def client(tmp_path):
    return make_test_app(create_app, Settings, tmp_path).test_client()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Source:
    """Where a key set comes from; `answer` may be an exception."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    def __call__(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


# --- tokens


def test_a_good_token_says_who_is_calling(client):
    assert client.get("/mine", headers=as_user("ada")).get_json() == {"id": "ada", "roles": ["customer"]}


@pytest.mark.parametrize("headers", bad_tokens().values(), ids=bad_tokens().keys())
def test_a_bad_token_is_a_401(client, headers):
    assert_problem(client.get("/mine", headers=headers), 401)


def test_a_bad_token_is_bad_the_second_time_too(client):
    for headers in bad_tokens().values():
        assert [client.get("/mine", headers=headers).status_code for _ in range(2)] == [401, 401]


def test_a_signed_in_user_without_the_role_is_a_403(client):
    assert_problem(client.get("/till", headers=as_user("ada")), 403)
    assert client.get("/till", headers=as_operator()).status_code == 200


def test_the_scheme_is_read_in_any_case(client):
    assert client.get("/mine", headers={"Authorization": f"bearer {user_token()}"}).status_code == 200


def test_a_token_is_good_for_the_leeway_after_its_end_and_no_longer(client):
    late = {"Authorization": f"Bearer {user_token(expires_in=-LEEWAY_S / 2)}"}
    too_late = {"Authorization": f"Bearer {user_token(expires_in=-LEEWAY_S - 5)}"}
    assert [client.get("/mine", headers=late).status_code for _ in range(2)] == [200, 200]
    assert_problem(client.get("/mine", headers=too_late), 401)


def test_a_token_that_was_checked_before_expires_all_the_same(client):
    token = user_token("ada", expires_in=-LEEWAY_S - 5)
    checked = client.application.extensions["souk.identity"]._checked
    checked[token] = Caller("ada", frozenset({"customer"}), expires_at=time.time() - LEEWAY_S - 5)
    assert_problem(client.get("/mine", headers={"Authorization": f"Bearer {token}"}), 401)
    assert token not in checked


@pytest.mark.parametrize("headers", bad_service_tokens("shop").values(), ids=bad_service_tokens("shop").keys())
def test_a_bad_service_token_is_a_401(client, headers):
    assert_problem(client.post("/internal/thing", headers=headers), 401)


def test_our_services_may_in_at_the_internal_route_and_nowhere_else(client):
    assert client.post("/internal/thing", headers=as_service("shop")).status_code == 200
    assert_problem(client.get("/mine", headers=as_service("shop")), 401)


# --- the keys


def test_a_key_is_fetched_once_and_remembered():
    source = Source(key_set("a"))
    keys = KeySet(source, None, Clock())
    assert [keys.get("a").key_id for _ in range(3)] == ["a"] * 3
    assert source.asked == 1


def test_an_unknown_kid_asks_anew_once_in_five_seconds_whatever_comes_in():
    source, clock = Source(key_set("a")), Clock()
    keys = KeySet(source, None, clock)
    for forged in ("x", "y", "z"):
        with pytest.raises(Unauthenticated):
            keys.get(forged)
    assert source.asked == 1
    source.answer = key_set("b")
    clock.now += REFETCH_S
    assert keys.get("b").key_id == "b"
    assert source.asked == 2


def test_many_threads_with_an_unknown_kid_ask_once():
    source = Source(key_set("a"))
    keys = KeySet(source, None, Clock())
    threads = [threading.Thread(target=keys.get, args=("a",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert source.asked == 1


def test_a_key_that_is_known_asks_nobody_even_when_accounts_is_away(tmp_path):
    source, clock = Source(key_set("a")), Clock()
    keys = KeySet(source, tmp_path / "jwks.json", clock)
    keys.get("a")
    source.answer = Unavailable("away")
    clock.now += 3600
    assert keys.get("a").key_id == "a"
    assert source.asked == 1


def test_the_keys_are_kept_on_disk_for_the_next_start(tmp_path):
    file = tmp_path / "cache" / "jwks.json"
    KeySet(Source(key_set("a")), file, Clock()).get("a")
    away = Source(Unavailable("away"))
    assert KeySet(away, file, Clock()).get("a").key_id == "a"
    assert away.asked == 0
    assert [path.name for path in file.parent.iterdir()] == ["jwks.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"keys": 1}', '{"keys": [{}]}', '{"keys": [{"kid": "a"}]}'])
def test_a_file_that_holds_no_keys_is_ignored(tmp_path, content):
    file = tmp_path / "jwks.json"
    file.write_text(content)
    assert KeySet(Source(key_set("a")), file, Clock()).get("a").key_id == "a"
    assert json.loads(file.read_text()) == key_set("a")


def test_a_disk_that_cannot_be_written_costs_nothing_but_the_cache(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert KeySet(Source(key_set("a")), tmp_path / "cache" / "jwks.json", Clock()).get("a").key_id == "a"


@pytest.mark.parametrize(
    "answer",
    [Unavailable("away"), ConnectionResetError("reset"), ValueError("not JSON"), {}, [], {"keys": [{"kid": "a"}]}],
    ids=repr,
)
def test_without_any_usable_answer_a_token_cannot_be_judged(answer):
    source, clock = Source(answer), Clock()
    keys = KeySet(source, None, clock)
    for _ in range(2):
        with pytest.raises(Unavailable):
            keys.get("a")
    assert source.asked == 1
    source.answer = key_set("a")
    clock.now += REFETCH_S
    assert keys.get("a").key_id == "a"


def test_an_unknown_kid_while_accounts_is_away_may_be_a_new_key():
    source, clock = Source(key_set("a")), Clock()
    keys = KeySet(source, None, clock)
    keys.get("a")
    source.answer = Unavailable("away")
    clock.now += REFETCH_S
    with pytest.raises(Unavailable):
        keys.get("b")


# --- a whole service while accounts is away or ill


@pytest.fixture
def accounts():
    neighbour = Neighbour()
    yield neighbour
    neighbour.close()


def client_without_keys(tmp_path, neighbours):
    app = make_test_app(create_app, Settings, tmp_path, neighbours)
    (tmp_path / "cache" / "jwks.json").unlink()
    return create_app(app.extensions["souk.settings"]).test_client()


def test_without_keys_the_service_is_ready_and_answers_503_not_401(tmp_path, accounts):
    accounts.answers["GET", JWKS_PATH] = (500, {"title": "ill"})
    client = client_without_keys(tmp_path, {"accounts": accounts.address})
    assert client.get("/readyz").status_code == 200
    assert_problem(client.get("/mine", headers=as_user("ada")), 503)
    assert_problem(client.get("/mine"), 401)
    assert client.post("/internal/thing", headers=as_service("shop")).status_code == 200


def test_with_nobody_registered_as_accounts_it_is_a_503_too(tmp_path):
    assert_problem(client_without_keys(tmp_path, {}).get("/mine", headers=as_user("ada")), 503)


def test_the_keys_are_asked_from_accounts_without_any_token(tmp_path, accounts):
    accounts.answers["GET", JWKS_PATH] = (200, key_set())
    client = client_without_keys(tmp_path, {"accounts": accounts.address})
    assert [client.get("/mine", headers=as_user(name)).status_code for name in ("ada", "bob")] == [200, 200]
    [(method, path, headers, _)] = accounts.requests
    assert (method, path) == ("GET", JWKS_PATH)
    assert "Authorization" not in headers
    assert json.loads((tmp_path / "cache" / "jwks.json").read_text()) == key_set()


def test_a_user_who_asks_too_fast_is_told_when_to_come_again(tmp_path):
    app = make_test_app(create_app, Settings, tmp_path, rate_limit_per_s=0.01, rate_limit_loopback=True)
    client = app.test_client()
    assert client.get("/mine", headers=as_user("ada")).status_code == 200
    assert_problem(client.get("/mine", headers=as_user("ada")), 429)
    assert client.get("/mine", headers=as_user("bob")).status_code == 200
