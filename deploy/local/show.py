"""What the command line shows to people while it works."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.runtime import Kind, Runtime, running


def status(system: Runtime, as_json: bool) -> None:
    """`souk status`: says so when nothing runs, or when only leftovers do."""
    silence = system.silence()
    if as_json:
        print(json.dumps(document(system), indent=2))
    elif silence is None:
        table(system)
    else:
        print(silence)


def document(system: Runtime) -> dict:
    """What `souk status --json` prints."""
    instances = [{key: value for key, value in row.items() if key != "name"} for row in system.rows()]
    return {"gateway": system.gateway_url, "registry": system.registry_url, "instances": instances}


def table(system: Runtime) -> None:
    """All processes and the addresses, for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("service", "instance", "pid", "health"):
        table.add_column(title, no_wrap=True)
    table.add_column("up", justify="right")
    table.add_column("memory", justify="right")
    colours = {"passing": "green", "warning": "yellow", "critical": "red"}
    for row in system.rows():
        health = f"[{colours.get(row['health'], 'cyan')}]{row['health']}[/]"
        memory = f"{row['pss_bytes'] / 1e6:.0f} MB"
        table.add_row(row["service"], row["id"], str(row["pid"] or "-"), health, _span(row["uptime_s"]), memory)
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"\nshop      {system.gateway_url}/\nregistry  {system.registry_url}")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


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
def changing(kind: Kind) -> Iterator[tuple[Runtime, Callable[[str], None]]]:
    """For a command that changes which processes run: alone at work, with progress, and the table at its end."""
    system = running(kind)
    with system.lock():
        with progress() as said:
            yield system, said
        table(system)
