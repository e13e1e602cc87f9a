"""The commands that look at a running system and turn its knobs; the second half of `cli`."""

import sys
from typing import Annotated

from deploy.local.cli_app import Argument, Instance, Option, app, echo, typer

events = typer.Typer(help="Events that are not delivered.", no_args_is_help=True)
keys = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)
app.add_typer(events, name="events")
app.add_typer(keys, name="keys")


@app.command()
def fault(
    service: str,
    name: Annotated[str, Argument(metavar="NAME|off")],
    values: Annotated[list[str] | None, Argument(metavar="[KEY=VALUE ...]")] = None,
    instance: Instance = None,
) -> None:
    """Break a service on demand: delay, error, hang or kill; `off` ends it."""
    from deploy.local import live
    from deploy.local.client import running_system

    echo(live.fault(running_system(), service, name, values or [], instance))


@app.command()
def bank(values: Annotated[list[str] | None, Argument(metavar="[KEY=VALUE ...]")] = None) -> None:
    """Change the bank's settings, such as failure_rate=0.5; prints all of them."""
    import json

    from deploy.local import live
    from deploy.local.client import running_system

    echo(json.dumps(live.bank(running_system(), values or []), indent=2))


@app.command("set")
def set_(key: str, value: str) -> None:
    """A live setting, such as `gateway/balancing/catalog least_conn` or `gateway/cache off`."""
    from deploy.local import live
    from deploy.local.client import running_system

    live.put_setting(running_system(), key, value)
    echo(f"souk/{key.strip('/')} = {value}")


@app.command()
def logs(
    service: Annotated[str | None, Argument()] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with new lines.")] = False,
) -> None:
    """What the services say, in the order of time."""
    from deploy.local import logs as story
    from deploy.local.client import find_system

    system = find_system()
    if service is not None and service != "supervisor":
        system.fleet.get(service)
    printer = story.Printer()
    for line in story.lines(system.home, service, follow):
        printer.line(line)


@app.command()
def trace(order: str) -> None:
    """All that the services logged about one order, as one story."""
    from deploy.local import trace as story
    from deploy.local.client import find_system
    from deploy.local.logs import Printer

    printer = Printer()
    for depth, line in story.story(find_system().home, order):
        printer.line(line, depth)


@events.command("list")
def list_events(as_json: Annotated[bool, Option("--json", help="For programs.")] = False) -> None:
    """Pending and dead deliveries of all services."""
    import json

    from deploy.local import events as story
    from deploy.local.client import running_system

    rows = list(story.undelivered(running_system(), ("pending", "dead")))
    if as_json:
        echo(json.dumps(rows, indent=2))
    else:
        story.print_rows(rows)
    if any("problem" in row for row in rows):
        raise typer.Exit(1)


@events.command("retry")
def retry_event(service: str, seq: int) -> None:
    """Deliver a dead event again; SERVICE is the one that emits it."""
    from deploy.local import events as story
    from deploy.local.client import running_system

    story.retry(running_system(), service, seq)
    echo(f"event {seq} of {service} will be delivered again")


@app.command()
def audit(within: Annotated[float, Option(help="Seconds to let the system settle.")] = 60.0) -> None:
    """Whether every promise was kept. Exit 0: yes, 1: broken, 2: could not check."""
    from deploy.local.auditing import audit as story
    from deploy.local.client import find_system

    sys.exit(story(find_system(), within))


@app.command()
def token(email: str) -> None:
    """Sign in as one of the seeded users, and print the access token."""
    from deploy.local import live
    from deploy.local.client import running_system

    echo(live.user_token(running_system(), email))


@keys.command("rotate")
def rotate() -> None:
    """Let accounts sign with a new key; no valid token is lost."""
    from deploy.local import live
    from deploy.local.client import running_system

    live.rotate_keys(running_system())
    echo("accounts signs with a new key")
