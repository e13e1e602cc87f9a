"""`python -P -m deploy.local.forked MODULE...`: runs several `python -m NAME WORDS` at the price of one import.

Most of what a small migration costs is importing SQLAlchemy and Alembic. So the MODULEs are imported once, and each
order is carried out in a process forked from there, with its own environment and log. The orders come as one line of
JSON on stdin, [{"name": "orders", "words": ["migrate"], "env": {...}, "log": "/path"}, ...]; as each ends, its line
{"name": "orders", "exit": 0} comes on stdout.
"""

import importlib
import json
import multiprocessing
import os
import runpy
import sys
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

AT_ONCE = 2
FORK = multiprocessing.get_context("fork")


def main() -> None:
    for name in sys.argv[1:]:
        with suppress(Exception):  # whoever needs it will say what is wrong with it
            importlib.import_module(name)
    waiting = json.loads(sys.stdin.readline())
    running: dict[Any, Any] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            order = waiting.pop(0)
            process = FORK.Process(target=_carry_out, name=order["name"], kwargs=order, daemon=True)
            process.start()
            running[process.sentinel] = process
        for sentinel in wait(list(running)):
            process = running.pop(sentinel)
            process.join()
            print(json.dumps({"name": process.name, "exit": process.exitcode}), flush=True)


def _carry_out(name: str, words: list[str], env: dict[str, str], log: str) -> None:
    """As `python -m name words >log 2>&1` would."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [name, *words]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
