"""The commands that look at a running system and turn its knobs; the second half of `cli`."""

import sys
from typing import Annotated

from deploy.local.cli_app import LOCAL, Argument, Instance, Option, Where, app, echo, typer

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
    runtime: Where = LOCAL,
) -> None:
    """Break a service on demand: delay, error, hang or kill; `off` ends it."""
    from deploy.local import live
    from deploy.runtime import running

    echo(live.fault(running(runtime), service, name, values or [], instance))


@app.command()
def bank(
    values: Annotated[list[str] | None, Argument(metavar="[KEY=VALUE ...]")] = None, runtime: Where = LOCAL
) -> None:
    """Change the bank's settings, such as failure_rate=0.5; prints all of them."""
    import json

    from deploy.local import live
    from deploy.runtime import running

    echo(json.dumps(live.bank(running(runtime), values or []), indent=2))


@app.command("set")
def set_(key: str, value: str, runtime: Where = LOCAL) -> None:
    """A live setting, such as `gateway/balancing/catalog least_conn` or `gateway/cache off`."""
    from deploy.local import live
    from deploy.runtime import running

    live.put_setting(running(runtime), key, value)
    echo(f"souk/{key.strip('/')} = {value}")


@app.command()
def logs(
    service: Annotated[str | None, Argument()] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with new lines.")] = False,
    runtime: Where = LOCAL,
) -> None:
    """What the services say, in the order of time."""
    from deploy.local import logs as story
    from deploy.runtime import find

    printer = story.Printer()
    for line in find(runtime).lines(service, follow):
        printer.line(line)


@app.command()
def trace(order: str, runtime: Where = LOCAL) -> None:
    """All that the services logged about one order, as one story."""
    from deploy.local import trace as story
    from deploy.local.logs import Printer
    from deploy.runtime import find

    printer = Printer()
    for depth, line in story.story(find(runtime), order):
        printer.line(line, depth)


@events.command("list")
def list_events(
    as_json: Annotated[bool, Option("--json", help="For programs.")] = False, runtime: Where = LOCAL
) -> None:
    """Pending and dead deliveries of all services."""
    import json

    from deploy.local import events as story
    from deploy.runtime import running

    rows = list(story.undelivered(running(runtime), ("pending", "dead")))
    if as_json:
        echo(json.dumps(rows, indent=2))
    else:
        story.print_rows(rows)
    if any("problem" in row for row in rows):
        raise typer.Exit(1)


@events.command("retry")
def retry_event(service: str, seq: str, runtime: Where = LOCAL) -> None:
    """Deliver a dead event again; SERVICE and SEQ are what `souk events list` says."""
    from deploy.local import events as story
    from deploy.runtime import running

    story.retry(running(runtime), service, seq)
    echo(f"event {seq} of {service} will be delivered again")


@app.command()
def audit(
    within: Annotated[float, Option(help="Seconds to let the system settle.")] = 60.0, runtime: Where = LOCAL
) -> None:
    """Whether every promise was kept. Exit 0: yes, 1: broken, 2: could not check."""
    from deploy.local.auditing import audit as story
    from deploy.runtime import find

    sys.exit(story(find(runtime), within))


@app.command()
def token(email: str, runtime: Where = LOCAL) -> None:
    """Sign in as one of the seeded users, and print the access token."""
    from deploy.local import live
    from deploy.runtime import running

    echo(live.user_token(running(runtime), email))


@keys.command("rotate")
def rotate(runtime: Where = LOCAL) -> None:
    """Let accounts sign with a new key; no valid token is lost."""
    from deploy.local import live
    from deploy.runtime import running

    live.rotate_keys(running(runtime))
    echo("accounts signs with a new key")
