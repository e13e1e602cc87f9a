"""Tokens that services sign for each other, and the change of their key while calls go on."""

import os
import time
from itertools import pairwise

import jwt
import pytest

from chassis import service_tokens
from chassis.errors import Unauthenticated, Unavailable
from chassis.service_tokens import LEEWAY_S, LIFETIME_S, ServiceTokens
from chassis.testing import eventually

OLD, NEW = "old-" + "x" * 40, "new-" + "y" * 40


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "service.keys"
    file.write_text(OLD + "\n")
    return file


def write(file, *keys):
    """As an operator would change it; the time of change must differ, however coarse the file system's clock is."""
    later = file.stat().st_mtime + 5
    file.write_text("\n".join(keys))
    os.utime(file, (later, later))


def test_a_service_is_known_by_its_token(key_file):
    token = ServiceTokens("orders", key_file).sign("catalog")
    assert ServiceTokens("catalog", key_file).verify(token) == "orders"


def test_a_token_is_for_one_target_and_short_lived(key_file):
    tokens = ServiceTokens("orders", key_file)
    claims = jwt.decode(tokens.sign("catalog"), OLD, algorithms=["HS256"], audience="catalog")
    assert claims["exp"] - claims["iat"] == LIFETIME_S
    with pytest.raises(Unauthenticated):
        ServiceTokens("payments", key_file).verify(tokens.sign("catalog"))


def test_one_token_serves_several_calls_to_a_target(key_file):
    tokens = ServiceTokens("orders", key_file)
    assert tokens.sign("catalog") == tokens.sign("catalog") != tokens.sign("payments")


def test_an_expired_token_is_refused(key_file):
    claims = {"iss": "orders", "aud": "catalog", "exp": int(time.time()) - LEEWAY_S - 5}
    with pytest.raises(Unauthenticated):
        ServiceTokens("catalog", key_file).verify(jwt.encode(claims, OLD, algorithm="HS256"))


def test_no_token_is_lost_while_the_key_changes_step_by_step(key_file):
    """A new key is added below, moved up, and the old one is removed; each side may be a step behind the other."""
    steps = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]
    for mine, theirs in [*pairwise(steps), *pairwise(reversed(steps))]:
        key_file.write_text("\n".join(mine))
        token = ServiceTokens("orders", key_file).sign("catalog")
        key_file.write_text("\n".join(theirs))
        assert ServiceTokens("catalog", key_file).verify(token) == "orders"


def test_a_running_service_notices_a_changed_file_within_a_second_or_so(key_file):
    tokens = ServiceTokens("orders", key_file)
    before = tokens.sign("catalog")
    write(key_file, NEW, OLD)
    tokens._looked_at = float("-inf")  # a second has passed
    tokens.verify(jwt.encode({"iss": "x", "aud": "orders", "exp": 2**40}, NEW, algorithm="HS256"))
    after = tokens.sign("catalog")
    assert before != after
    assert jwt.decode(after, NEW, algorithms=["HS256"], audience="catalog")["iss"] == "orders"


def test_a_removed_key_opens_nothing_any_more(key_file):
    token = ServiceTokens("orders", key_file).sign("catalog")
    write(key_file, NEW)
    with pytest.raises(Unauthenticated):
        ServiceTokens("catalog", key_file).verify(token)


def test_a_token_that_was_taken_before_is_refused_once_its_key_is_removed(key_file):
    tokens, token = ServiceTokens("catalog", key_file), ServiceTokens("orders", key_file).sign("catalog")
    assert tokens.verify(token) == "orders"
    write(key_file, NEW)
    tokens._looked_at = float("-inf")  # a second has passed
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_a_token_that_was_taken_before_is_refused_once_it_has_expired(key_file):
    expires_at = int(time.time()) - LEEWAY_S + 1
    token = jwt.encode({"iss": "orders", "aud": "catalog", "exp": expires_at}, OLD, algorithm="HS256")
    tokens = ServiceTokens("catalog", key_file)
    assert tokens.verify(token) == "orders"
    eventually(lambda: time.time() > expires_at + LEEWAY_S)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_only_so_many_tokens_are_remembered(key_file, monkeypatch):
    monkeypatch.setattr(service_tokens, "REMEMBERED", 3)
    tokens = ServiceTokens("catalog", key_file)
    for number in range(10):
        claims = {"iss": f"caller-{number}", "aud": "catalog", "exp": 2**40}
        assert tokens.verify(jwt.encode(claims, OLD, algorithm="HS256")) == f"caller-{number}"
        assert len(tokens._verified) <= 3


def test_a_file_that_is_gone_for_a_moment_changes_nothing(key_file):
    tokens = ServiceTokens("catalog", key_file)
    token = ServiceTokens("orders", key_file).sign("catalog")
    assert tokens.verify(token) == "orders"
    key_file.unlink()
    tokens._looked_at = float("-inf")
    assert tokens.verify(token) == "orders"


@pytest.mark.parametrize("content", [None, "", "\n\n"])
def test_without_a_key_nobody_is_refused_for_good(tmp_path, content):
    file = tmp_path / "service.keys"
    if content is not None:
        file.write_text(content)
    tokens = ServiceTokens("catalog", file)
    with pytest.raises(Unavailable):
        tokens.verify("anything")
    with pytest.raises(Unavailable):
        tokens.sign("orders")
