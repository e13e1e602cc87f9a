"""Asking the programs `docker` and `docker compose`."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.local.errors import Refused

__all__ = ["PROJECT", "Refused", "containers", "last_line", "run", "show"]
PROJECT = Path(__file__).resolve().parents[2]


def run(*words: str, environ: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """Run a command of docker's in the project's folder and keep what it says."""
    return subprocess.run(["docker", *words], cwd=PROJECT, env=environ, capture_output=True, text=True, check=False)  # nosec B607


def show(*words: str) -> int:
    """Run a command of docker's, and let the user see what it says; its exit status."""
    return subprocess.run(["docker", *words], cwd=PROJECT, check=False).returncode  # nosec B607


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it does not say why")


def containers() -> list[dict]:
    """The containers of this project, running or not, as `docker compose ps` describes them."""
    asked = run("compose", "ps", "--all", "--format", "json")
    if asked.returncode:
        raise Refused(last_line(asked.stderr))
    # One object a line, or (Compose before 2.21) one list of them.
    parts = [json.loads(line) for line in asked.stdout.splitlines() if line.strip()]
    return [one for part in parts for one in (part if isinstance(part, list) else [part])]
