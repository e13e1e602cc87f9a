import pytest

from deploy.local.errors import Refused
from deploy.local.fleet import load_fleet
from deploy.local.home import Home
from deploy.local.prepare import newest_revision, prepare, recorded_revision
from deploy.local.settings import load
from deploy.local.tests.toys import make_toys


@pytest.fixture
def system(tmp_path, monkeypatch):
    toys = make_toys(tmp_path / "toys")
    monkeypatch.setenv("PYTHONPATH", str(toys))
    settings = load({"SOUK_HOME": str(tmp_path / "home"), "SERVICES_DIR": str(toys)})
    Home(settings.home).create()
    Home(settings.home).furnish()
    return settings, load_fleet(settings)


def said(settings):
    return (settings.home / "data" / "prepared.txt").read_text().splitlines()


def run(system):
    return prepare(*system, lambda name: None)


def test_a_fresh_database_is_migrated_and_seeded_once(system):
    settings, fleet = system
    assert newest_revision(settings, fleet.get("apples")) == "0002"
    assert run(system) == ["apples"]
    assert recorded_revision(settings.home / "data" / "apples.db") == "0002"
    assert run(system) == []
    assert said(settings) == ["apples migrate seed"]


def test_a_new_migration_is_run(system):
    settings, _ = system
    run(system)
    (settings.services_dir / "apples" / "migrations" / "0003_even_more.py").touch()
    assert run(system) == ["apples"]


def test_other_seeds_are_sown(system, monkeypatch):
    run(system)
    monkeypatch.setenv("SEED_STOCK", "5")
    assert run(system) == ["apples"]
    assert run(system) == []


def test_a_database_that_was_removed_is_made_again(system):
    settings, _ = system
    run(system)
    (settings.home / "data" / "apples.db").unlink()
    assert run(system) == ["apples"]


def test_a_database_server_is_asked_every_time(system, monkeypatch):
    run(system)
    monkeypatch.setenv("APPLES__DATABASE_URL", "postgresql://somewhere")
    assert run(system) == ["apples"]


def test_a_failed_migration_is_told_with_its_last_words_and_tried_again(system, monkeypatch):
    monkeypatch.setenv("BROKEN_MIGRATION", "1")
    with pytest.raises(Refused, match=r"apples could not migrate and seed(.|\n)*the table is on fire"):
        run(system)
    monkeypatch.delenv("BROKEN_MIGRATION")
    assert run(system) == ["apples"]


def test_a_process_that_dies_at_once_is_told(system, monkeypatch):
    monkeypatch.setattr("deploy.local.prepare.sys.executable", "/bin/false")
    with pytest.raises(Refused, match="could not be prepared"):
        run(system)
