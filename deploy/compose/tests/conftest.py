"""docker-compose.yml as YAML says it, with its defaults; no Docker is needed for that."""

import re

import pytest
import yaml

from deploy.compose.commands import PROJECT
from deploy.local.fleet import load_fleet
from deploy.local.settings import load

VARIABLE = re.compile(r"\$\{(\w+):-((?:[^{}]|\{\})*)\}")


@pytest.fixture(scope="session")
def compose():
    text = (PROJECT / "docker-compose.yml").read_text()
    return yaml.safe_load(VARIABLE.sub(lambda match: match[2], text))


@pytest.fixture(scope="session")
def fleet():
    return load_fleet(load({}))
