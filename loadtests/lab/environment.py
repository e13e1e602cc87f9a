"""What a run was made on and with: whoever compares two runs has to know."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("locust", "gevent", "geventhttpclient", "flask", "gunicorn", "sqlalchemy", "numpy", "scipy")


def environment(settings: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """The document `environment.json`; `more` is what only the caller knows: seed, target, arguments."""
    load = psutil.getloadavg()
    return {
        "machine": {
            "cpu": _cpu(), "cores": os.cpu_count(), "usable_cores": _usable_cores(),
            "memory_bytes": psutil.virtual_memory().total, "kernel": platform.release(), "system": platform.system(),
        },
        "load_average_before": load,
        "versions": _versions(),
        "settings": dict(settings),
        "git": _git(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    } | more  # fmt: skip


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    import sqlite3

    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    if nginx := _first_line("nginx", "-v"):
        found["nginx"] = nginx.rpartition("/")[2]
    return found


def _git() -> dict[str, Any]:
    commit = _first_line("git", "-C", str(PROJECT), "rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_first_line("git", "-C", str(PROJECT), "status", "--porcelain"))}


def _first_line(*words: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=10, check=False, env={**os.environ, "PATH": path}
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ((done.stdout or done.stderr).splitlines() or [""])[0]


def _usable_cores() -> int | None:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count()
