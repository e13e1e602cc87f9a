"""What the command line shows to people while it works."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.local.client import System, running_system
from deploy.local.status import collect, document, print_table


def table(system: System) -> None:
    """All processes and the addresses."""
    print_table(system, collect(system))


def status(system: System, as_json: bool) -> None:
    """`souk status`: says so when nothing runs, or when only leftovers do."""
    if as_json:
        print(json.dumps(document(system), indent=2))
    elif system.controllable:
        table(system)
    elif system.supervisor_pid is not None:
        print("Souk is starting.")
    else:
        from deploy.local import leftovers

        left = leftovers.find(system.home)
        more = f" {len(left)} processes of an earlier run are left: `souk down` ends them." if left else ""
        print("Souk does not run." + more)


class Sayer:
    """Says each thing once, as a line on stderr, however often it is still true."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix, self.last = prefix, ""

    def __call__(self, text: str) -> None:
        if text != self.last:
            print(self.prefix + text, file=sys.stderr)
        self.last = text


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that shows the step at work: one changing line on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield Sayer()
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as shown:
        yield shown.update


@contextmanager
def changing() -> Iterator[tuple[System, Callable[[str], None]]]:
    """For a command that changes which processes run: alone at work, with progress, and the table at its end."""
    system = running_system()
    with system.home.lock():
        with progress() as said:
            yield system, said
        table(system)
