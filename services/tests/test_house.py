"""The shape of the house: the same file names everywhere, and pages that say what is true."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

from chassis.settings import ChassisSettings
from services.tests.contract import events, table, words
from services.tests.shop import APPS, FLEET, SERVICES

ROOT = SERVICES.parent
PUBLIC = [name for name in FLEET if FLEET[name].get("prefix", "").startswith("/api/")]
IN_EVERY_SERVICE = ["README.md", "__init__.py", "__main__.py", "app.py", "routes.py", "settings.py", "tests"]
USUAL_HEADINGS = ("What it decides", "Owns", "Endpoints", "Events", "Settings", "When a neighbour fails")
HEADINGS = dict.fromkeys(APPS, USUAL_HEADINGS) | {
    "storefront": ("What it decides", "Owns", "Pages", "Settings", "When a neighbour fails"),
    "registry": ("What it decides", "Owns", "Endpoints", "Settings", "When it is down"),
    "chassis": ("What it guarantees", "Settings", "When something fails"),
}


def readme(package):
    folder = ROOT if package == "gateway" else SERVICES
    return (folder / package / "README.md").read_text()


# --- the fleet


def test_the_table_of_services_has_every_service_of_the_fleet():
    listed = [words(row[0], r"\[(\w+)\]\(\1/README\.md\)") for row in table(readme("."))]
    assert listed == [[name] for name in FLEET if FLEET[name].get("kind") != "single"]


def test_the_table_of_services_says_what_each_emits_and_consumes():
    for service, owns, _, emits, consumes, down in table(readme(".")):
        (name,) = words(service, r"\[(\w+)\]")
        assert set(words(consumes)) == set(FLEET[name]["consumes"]), name
        assert set(words(emits)) == {event.name for event in events() if event.emitter == name}, name
        assert owns
        assert down


def test_every_prefix_of_the_fleet_is_the_one_that_the_service_registers():
    for name in APPS:
        assert settings_class(name).prefix == FLEET[name].get("prefix", "")
        assert settings_class(name).service == name


def test_every_route_that_is_marked_idempotent_is_a_post_route(shop):
    for name in PUBLIC:
        paths = shop.clients[name].get("/openapi.json").json["paths"]
        posts = {re.sub(r"{[^}]*}", "{}", path) for path, methods in paths.items() if "post" in methods}
        assert {re.sub(r"{[^}]*}", "{}", path) for path in FLEET[name].get("idempotent", ())} <= posts


# --- files


@pytest.mark.parametrize("name", [*APPS, "registry"])
def test_a_service_has_the_files_that_all_have(name):
    needed = list(IN_EVERY_SERVICE)
    if FLEET[name].get("consumes"):
        needed += ["events.py"]
    if FLEET[name].get("database", True):
        needed += ["models.py", "usecases.py", "migrations/0001_initial.py", "tests/test_migrations.py"]
    assert [file for file in needed if not (SERVICES / name / file).exists()] == []


def test_no_file_is_there_only_to_be_there():
    files = [file for folder in (*APPS, "registry", "chassis") for file in (SERVICES / folder).rglob("*.py")]
    empty = [file for file in files if not file.read_text().strip() and file.parent.name != "tests"]
    assert empty == []


@pytest.mark.parametrize("package", [*APPS, "registry", "chassis", "gateway", "loadtests"])
def test_a_package_opens_with_what_it_is(package):
    folder = SERVICES if (SERVICES / package).is_dir() else ROOT
    assert ast.get_docstring(ast.parse((folder / package / "__init__.py").read_text()))


# --- pages


@pytest.mark.parametrize("package", HEADINGS)
def test_a_readme_has_the_headings_of_all_others(package):
    headings = re.findall(r"^## (.+)$", readme(package), re.MULTILINE)
    assert tuple(heading for heading in headings if heading in HEADINGS[package]) == HEADINGS[package]


def settings_class(name):
    return importlib.import_module(f"{name}.settings").Settings if name != "chassis" else ChassisSettings


def settings_table(package):
    """Variable -> its default, as the README says it."""
    section = readme(package).partition("\n## Settings\n")[2].partition("\n## ")[0]
    found = {}
    for names, default, *_ in table(section):
        variables = words(names)
        defaults = default.split(", ") if len(variables) > 1 else [default]
        found.update(zip(variables, [text.strip("`") for text in defaults], strict=True))
    return found


def says(text, default):
    """Whether the text of a README's cell says this default."""
    if default in (None, ""):
        return "SOUK_HOME" in text or text.startswith("none")  # a file in there, or nothing at all
    if isinstance(default, bool | dict | list):
        return json.loads(text) == default
    if isinstance(default, int | float):
        return float(text) == default
    return Path(text) == default if isinstance(default, Path) else text == default


@pytest.mark.parametrize("name", [*APPS, "chassis"])
def test_a_readme_has_every_setting_with_its_true_default(name):
    fields = settings_class(name).model_fields
    own = [field for field in fields if field in settings_class(name).__annotations__]
    written = settings_table(name)
    assert set(written) == {field.upper() for field in own}
    wrong = {field: written[field.upper()] for field in own if not says(written[field.upper()], fields[field].default)}
    assert wrong == {}


@pytest.mark.parametrize("package", ["registry", "gateway"])
def test_the_readmes_of_what_is_no_service_have_every_variable_that_is_read(package):
    folder = ROOT if package == "gateway" else SERVICES
    source = (folder / package / "settings.py").read_text()
    read = set(re.findall(r'(?:read\.\w+|environ\.get)\("([A-Z_]+)"', source)) - {"PATH"}
    assert read
    assert set(settings_table(package)) == read
