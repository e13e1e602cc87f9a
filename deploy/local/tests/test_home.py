import json
import os
import stat
from pathlib import Path

import pytest

from deploy.local.errors import Refused
from deploy.local.home import LOG_KEPT_BYTES, Home, take_lock


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_private(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    home.furnish()
    secrets = [home.service_keys, home.keys / "storefront.key", home.passwords_file]
    before = [path.read_text() for path in secrets]
    assert [mode(path) for path in secrets] == [0o600] * 3
    assert mode(home.run) == 0o700
    assert set(json.loads(before[2])) == {"customer@souk.example", "operator@souk.example"}
    home.create()
    home.furnish()
    assert [path.read_text() for path in secrets] == before


def test_two_homes_have_different_secrets(tmp_path):
    for name in "ab":
        Home(tmp_path / name).create()
        Home(tmp_path / name).furnish()
    assert Home(tmp_path / "a").service_keys.read_text() != Home(tmp_path / "b").service_keys.read_text()


def test_a_folder_with_other_things_in_it_is_not_taken(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(Refused, match=r"holiday\.jpg"):
        Home(tmp_path).create()
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_place_that_cannot_be_written_is_one_clear_line():
    with pytest.raises(Refused, match="cannot write to /dev/null/home"):
        Home(Path("/dev/null/home")).create()


def test_only_one_command_changes_a_system_at_a_time(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    home.furnish()
    with home.lock(), pytest.raises(Refused, match="another souk command"), home.lock():
        pass
    with home.lock():
        assert take_lock(home.run / "souk.lock") is None


def test_sockets_of_a_deep_home_lie_in_a_short_private_folder(tmp_path):
    home = Home(tmp_path / ("deep" * 20) / "home")
    home.create()
    home.furnish()
    folder = home.make_sockets_folder()
    try:
        assert len(os.fsencode(folder)) < 60
        assert mode(folder) == 0o700
    finally:
        home.sweep_run()
    assert not folder.exists()


def test_a_folder_that_others_may_enter_is_not_used_for_sockets(tmp_path):
    home = Home(tmp_path / ("deep" * 20) / "home")
    home.create()
    home.furnish()
    home.sockets.mkdir()
    try:
        home.sockets.chmod(0o755)
        with pytest.raises(Refused, match="is not private to you"):
            home.make_sockets_folder()
    finally:
        home.sweep_run()


def test_sweeping_leaves_the_locks_and_nothing_else(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    home.furnish()
    (home.run / "nginx").mkdir()
    (home.run / "nginx" / "nginx.conf").touch()
    (home.run / "control.sock").touch()
    (home.run / "souk.lock").touch()
    home.sweep_run()
    assert [entry.name for entry in home.run.iterdir()] == ["souk.lock"]


def test_a_log_that_has_grown_large_is_moved_aside(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    home.furnish()
    with (home.logs / "orders-1.log").open("wb") as log:
        log.truncate(LOG_KEPT_BYTES + 1)
    (home.logs / "carts-1.log").write_text("short")
    home.create()
    home.furnish()
    assert sorted(entry.name for entry in home.logs.iterdir()) == ["carts-1.log", "orders-1.log.old"]
