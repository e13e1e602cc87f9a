"""`souk events`: deliveries that are not done, across all services, and one more try for a dead one."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

from deploy.local.client import NotFound
from deploy.local.errors import Refused
from deploy.local.live import instances, internal_once
from deploy.runtime import Runtime

PAGE = 200


def emitters(system: Runtime) -> list[str]:
    """The services that may have an outbox: every one with a database, less those outside our walls."""
    return [s.name for s in system.fleet.services.values() if s.database and not s.single]


def outboxes(system: Runtime) -> dict[str, str]:
    """Service -> address of an instance, for each that has an outbox. Raises Refused when one is away."""
    return _answering(system, emitters(system), "/internal/events")


def queues(system: Runtime) -> dict[str, str]:
    """Service -> address of an instance, for each that has a queue at a broker. Raises Refused when one is away."""
    return _answering(system, subscribers(system), "/internal/queue")


def _answering(system: Runtime, services: list[str], path: str) -> dict[str, str]:
    found = {}
    for service in services:
        with suppress(NotFound):
            internal_once(system, service, "GET", path, params={"limit": 1})
            found[service] = instances(system, service)[0][1]
    return found


def subscribers(system: Runtime) -> list[str]:
    """The services that events are for."""
    return [service.name for service in system.fleet.services.values() if service.consumes]


def undelivered(system: Runtime, states: tuple[str, ...]) -> Iterator[dict]:
    """Every delivery in one of the states, with its `service`: the one whose outbox it is in, or at a broker the one
    whose queue it is in. A service that is away is a row with `problem`.
    """
    for service in emitters(system):
        for state in states:
            yield from _listed(system, service, "/internal/events", state=state)
    for service in subscribers(system):
        yield from _listed(system, service, "/internal/queue")


def _listed(system: Runtime, service: str, path: str, **params: str) -> Iterator[dict]:
    try:
        for item in _all(system, service, path, params):
            yield {"service": service, **item}
    except NotFound:
        return  # it emits nothing, or there is no broker
    except Refused as refusal:
        yield {"service": service, "problem": str(refusal)}


def _all(system: Runtime, service: str, path: str, params: dict) -> Iterator[dict]:
    cursor = None
    while True:
        asked = params | {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
        page = internal_once(system, service, "GET", path, params=asked).json()
        yield from page["items"]
        cursor = page["next"]
        if not cursor:
            return


def retry(system: Runtime, service: str, seq: str) -> None:
    """Make a dead delivery pending again. In an outbox it has a number, at a broker a name."""
    system.fleet.get(service)
    where = "events" if seq.isdecimal() else "queue"
    internal_once(system, service, "POST", f"/internal/{where}/{quote(seq, safe='')}/retry")


def print_rows(rows: list[dict]) -> None:
    """The table for people; services that could not be asked come last."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    columns = ("service", "seq", "state", "type", "subject", "subscriber", "tries", "last_error")
    found = [row for row in rows if "problem" not in row]
    if found:
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in found:
            table.add_row(*(str(row[column] if row[column] is not None else "") for column in columns))
        console.print(table)
    else:
        console.print("Every event is delivered.")
    for row in rows:
        if "problem" in row:
            console.print(f"{row['service']}: {row['problem']}", style="red", markup=False)
