"""The environment becomes one checked object, or one message that names all that is wrong."""

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, ValidationError

from chassis.redis_url import RedisAddress, redis_address
from chassis.settings import ChassisSettings, SettingsError


class Settings(ChassisSettings):
    service: ClassVar[str] = "shop"

    deadline_s: float = Field(default=30.0, gt=0)
    letters: list[str] = ["a"]


def test_without_an_environment_everything_has_its_default():
    settings = Settings.load({})
    assert (settings.port, settings.threads, settings.deadline_s) == (0, 8, 30.0)
    assert settings.discovery_url == "consul://127.0.0.1:8500"


def test_fields_are_read_from_variables_in_capitals_and_others_are_left_alone():
    environ = {"PORT": "17", "DEADLINE_S": "2.5", "FAULTS_ENABLED": "true", "port": "99", "PATH": "/bin"}
    settings = Settings.load(environ)
    assert (settings.port, settings.deadline_s, settings.faults_enabled) == (17, 2.5, True)


def test_collections_are_given_as_json():
    settings = Settings.load({"EVENT_ROUTES": '{"order.placed": ["inventory"]}', "LETTERS": '["b", "c"]'})
    assert settings.event_routes == {"order.placed": ["inventory"]}
    assert settings.letters == ["b", "c"]


def test_all_that_is_wrong_is_said_at_once():
    environ = {"PORT": "eighty", "THREADS": "0", "LETTERS": "not JSON", "DEADLINE_S": "-1", "LOG_LEVEL": "loud"}
    with pytest.raises(SettingsError) as caught:
        Settings.load(environ)
    message = str(caught.value)
    assert message.startswith("shop:")
    assert all(f"{name}:" in message for name in environ)
    assert len(message.splitlines()) == 1 + len(environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"), ("PORT", "-1"), ("PORT", ""), ("THREADS", "1.5"), ("TTL_S", "0"), ("TTL_S", "nan"),
        ("DRAIN_S", "-1"), ("DRAIN_S", "inf"), ("FAULTS_ENABLED", "maybe"), ("BALANCING", "[]"),
        ("BALANCING", '{"*": "psychic"}'),
        ("EVENT_ROUTES", '{"a": "b"}'), ("MAX_BODY_BYTES", "0"), ("REQUEST_TIMEOUT_MS", "0"), ("KEEP_DAYS", "-1"),
        ("DISCOVERY_URL", "nonsense"), ("DISCOVERY_URL", ""), ("DISCOVERY_URL", "http://127.0.0.1:8500"),
        ("DISCOVERY_URL", "consul://"), ("DISCOVERY_URL", "consul://h:port"), ("DISCOVERY_URL", "consul://h:0"),
        ("DISCOVERY_URL", "consul://h:8500/v1"), ("DISCOVERY_URL", "static://file.toml"), ("DISCOVERY_URL", "static:"),
        ("DISCOVERY_URL", "dns://:8000"), ("DISCOVERY_URL", "dns://souk.test:8000?server=127.0.0.1:dns"),
        ("REDIS_TIMEOUT_MS", "0"), ("REDIS_URL", "127.0.0.1:6379"), ("REDIS_URL", "http://127.0.0.1:6379"),
        ("REDIS_URL", "redis://"), ("REDIS_URL", "redis://:6379/0"), ("REDIS_URL", "redis://h:port/0"),
        ("REDIS_URL", "redis://h:0"), ("REDIS_URL", "redis://h:70000"), ("REDIS_URL", "redis://h/zero"),
        ("REDIS_URL", "redis://h/0?socket_timeout=9"), ("REDIS_URL", "redis://[::1"), ("REDIS_URL", "redis://h/-1"),
        ("REDIS_URL", "rediss://h"), ("REDIS_URL", "redis://h#0"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_its_name(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.load({name: value})


def test_a_secret_in_a_wrong_setting_is_not_repeated():
    with pytest.raises(SettingsError) as caught:
        Settings.load({"LETTERS": "secret-that-is-no-json"})
    assert "secret" not in str(caught.value)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_the_database_is_a_file_of_the_services_own_unless_a_url_is_given(tmp_path):
    assert Settings(souk_home=tmp_path).database == f"sqlite:///{tmp_path}/data/shop.db"
    assert Settings(database_url="postgresql://db/shop").database == "postgresql://db/shop"


def test_a_relative_home_still_gives_an_absolute_database():
    assert Settings(souk_home=Path(".souk")).database == f"sqlite:///{Path.cwd()}/.souk/data/shop.db"


def test_the_service_keys_are_in_the_home_unless_a_file_is_given(tmp_path):
    assert Settings(souk_home=tmp_path).service_keys == tmp_path / "keys" / "service.keys"
    assert Settings(service_key_file=tmp_path / "other").service_keys == tmp_path / "other"


def test_a_setting_may_lie_in_a_file(tmp_path):
    file = tmp_path / "database-url"
    file.write_text("postgresql://shop:secret@postgres/shop\n")
    assert Settings.load({"DATABASE_URL_FILE": str(file)}).database_url == "postgresql://shop:secret@postgres/shop"


def test_a_setting_that_is_itself_a_file_is_still_one(tmp_path):
    assert Settings.load({"SERVICE_KEY_FILE": str(tmp_path)}).service_keys == tmp_path


@pytest.mark.parametrize("wrong", ["missing", "both"])
def test_a_file_that_cannot_be_used_is_named_without_what_is_in_it(tmp_path, wrong):
    file = tmp_path / "database-url"
    environ = {"DATABASE_URL_FILE": str(file)}
    if wrong == "both":
        file.write_text("postgresql://shop:secret@postgres/shop")
        environ["DATABASE_URL"] = "sqlite://"
    with pytest.raises(SettingsError) as caught:
        Settings.load(environ)
    said = {
        "missing": f"  DATABASE_URL_FILE: cannot read {file} (No such file or directory)",
        "both": "  DATABASE_URL: give either DATABASE_URL or DATABASE_URL_FILE, not both",
    }
    assert str(caught.value).splitlines()[1:] == [said[wrong]]


def test_a_wrong_address_of_redis_is_one_line_without_its_password():
    with pytest.raises(SettingsError) as caught:
        Settings.load({"REDIS_URL": "redis://:hush#1@redis:6379/0"})  # a # begins what no server gets to see
    assert "hush" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis", RedisAddress("redis")),
        ("redis://redis:6380/", RedisAddress("redis", 6380)),
        ("redis://:p%40ss@redis:6380/2", RedisAddress("redis", 6380, 2, None, "p@ss")),
        ("redis://ada:pass@[::1]/1", RedisAddress("::1", 6379, 1, "ada", "pass")),
    ],
)
def test_an_address_of_redis_is_read_as_it_is_written(url, expected):
    assert Settings.load({"REDIS_URL": url}).redis_url == url
    assert redis_address(url) == expected
    assert "pass" not in f"{expected} {expected!r}"


def test_without_redis_its_client_is_not_imported(tmp_path):
    code = (
        "import sys; from accounts.app import create_app; from accounts.settings import Settings;"
        "create_app(Settings(souk_home=sys.argv[1])); sys.exit('redis' in sys.modules)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    assert subprocess.run([sys.executable, "-c", code, tmp_path], env=environ, check=False).returncode == 0
