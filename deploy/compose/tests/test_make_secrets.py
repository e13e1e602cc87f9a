"""Keys and passwords are made once, fit together, and are never made anew under what was made with them."""

import base64
import hashlib
import json
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from deploy import fresh_secrets
from deploy.compose.commands import PROJECT
from deploy.compose.make_secrets import make_secrets


def made(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_second_run_changes_nothing_that_others_rely_on(tmp_path):
    make_secrets(tmp_path)
    first = made(tmp_path)
    make_secrets(tmp_path)
    second = made(tmp_path)
    del first["rabbitmq/definitions.json"], second["rabbitmq/definitions.json"]  # salted anew, of the same password
    assert first == second


def test_no_two_systems_have_the_same(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_secrets(tmp_path / name)
    first, second = made(tmp_path / "one"), made(tmp_path / "two")
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] == second[name]]


def test_each_service_has_a_password_of_its_own_and_only_the_database_has_them_all(tmp_path):
    make_secrets(tmp_path)
    passwords = {file.name: file.read_text() for file in (tmp_path / "postgres" / "roles").iterdir()}
    assert set(passwords) == set(fresh_secrets.with_database())
    assert len(set(passwords.values())) == len(passwords)
    for service, password in passwords.items():
        url = urlsplit((tmp_path / service / "database-url").read_text())
        assert (url.username, url.password, url.path) == (service, password, f"/{service}")
        others = set(passwords.values()) - {password}
        assert not [text for text in made(tmp_path / service).values() if any(other in text for other in others)]


def test_all_services_sign_with_the_same_key(tmp_path):
    make_secrets(tmp_path)
    keys = {text for name, text in made(tmp_path).items() if name.endswith("service.keys")}
    assert len(keys) == 1


def test_rabbitmq_and_redis_know_the_passwords_that_the_services_give(tmp_path):
    make_secrets(tmp_path)
    password = urlsplit((tmp_path / "orders" / "events-url").read_text()).password
    (user,) = json.loads((tmp_path / "rabbitmq" / "definitions.json").read_text())["users"]
    salted = base64.b64decode(user["password_hash"])
    assert salted[4:] == hashlib.sha256(salted[:4] + password.encode()).digest()
    limits = urlsplit((tmp_path / "orders" / "redis-url").read_text()).password
    assert (tmp_path / "redis" / "redis.conf").read_text() == f"requirepass {limits}\n"


def test_one_that_was_lost_is_made_from_what_is_left(tmp_path):
    make_secrets(tmp_path)
    lost = tmp_path / "orders" / "database-url"
    before = lost.read_text()
    lost.unlink()
    make_secrets(tmp_path)
    assert lost.read_text() == before


@pytest.mark.parametrize("nonsense", [b"", b" \n", b"\xff\xfe"])
def test_one_that_says_nothing_is_an_error_in_one_line(tmp_path, nonsense):
    make_secrets(tmp_path)
    file = tmp_path / "postgres" / "password"
    file.chmod(0o644)
    file.write_bytes(nonsense)
    words = [sys.executable, "-m", "deploy.compose.make_secrets", str(tmp_path)]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert len(done.stderr.splitlines()) == 1
