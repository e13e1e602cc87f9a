"""`souk events`: deliveries that are not done, across all services, and one more try for a dead one."""

from collections.abc import Iterator
from contextlib import suppress

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
    found = {}
    for service in emitters(system):
        with suppress(NotFound):
            internal_once(system, service, "GET", "/internal/events", params={"limit": 1})
            found[service] = instances(system, service)[0][1]
    return found


def undelivered(system: Runtime, states: tuple[str, ...]) -> Iterator[dict]:
    """Every delivery in one of the states, with its `service`. A service that is away is a row with `problem`."""
    for service in emitters(system):
        try:
            for state in states:
                for item in _all(system, service, state):
                    yield {"service": service, **item}
        except NotFound:
            continue  # it emits nothing
        except Refused as refusal:
            yield {"service": service, "problem": str(refusal)}


def _all(system: Runtime, service: str, state: str) -> Iterator[dict]:
    cursor = None
    while True:
        params = {"state": state, "limit": PAGE} | ({"cursor": cursor} if cursor else {})
        page = internal_once(system, service, "GET", "/internal/events", params=params).json()
        yield from page["items"]
        cursor = page["next"]
        if not cursor:
            return


def retry(system: Runtime, service: str, number: int) -> None:
    """Make a dead delivery pending again."""
    system.fleet.get(service)
    internal_once(system, service, "POST", f"/internal/events/{number}/retry")


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
