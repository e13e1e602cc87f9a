"""The `souk` command: a table of contents. Each command imports its story when it is called."""

from typing import Annotated

# All of typer by way of `cli_app`, which says so when packages are missing.
from deploy.local.cli_app import Argument, Instance, Option, app, echo, typer


@app.command()
def up(detach: Annotated[bool, Option("--detach", "-d", help="Return when the system serves.")] = False) -> None:
    """Start everything, and wait until it serves."""
    from deploy.local import show, starting
    from deploy.local.client import find_system

    system = find_system()
    if system.controllable:
        echo("Souk runs already; nothing is changed.")
        show.table(system)
        return
    starting.hear_signals()
    with show.progress() as said:
        system = starting.start(system, said)
    show.table(system)
    if not detach:
        echo("\nSouk runs. Ctrl-C stops it.")
        starting.stay(system)


@app.command()
def down() -> None:
    """Stop everything, gracefully first."""
    from deploy.local.client import find_system
    from deploy.local.stopping import stop_and_say

    echo(stop_and_say(find_system()))


@app.command()
def reset(yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop everything and remove SOUK_HOME with all its data."""
    from deploy.local.client import find_system
    from deploy.local.stopping import refuse_strangers, stop_and_say, wipe

    system = find_system()
    refuse_strangers(system)
    if not system.home.path.exists():
        echo(f"There is nothing at {system.home.path}.")
        return
    if not yes:
        typer.confirm(f"Remove {system.home.path} with all orders, users and logs?", abort=True)
    stop_and_say(system)
    wipe(system)
    echo(f"{system.home.path} is removed.")


@app.command()
def status(as_json: Annotated[bool, Option("--json", help="For programs.")] = False) -> None:
    """Every process: service, instance, pid, address, health, uptime, memory."""
    from deploy.local import show
    from deploy.local.client import find_system

    show.status(find_system(), as_json)


@app.command()
def scale(counts: Annotated[list[str], Argument(metavar="SERVICE=N ...")]) -> None:
    """More or fewer replicas, gracefully, until the system is stopped."""
    from deploy.local import scaling, show

    with show.changing() as (system, said):
        scaling.scale(system, scaling.parse_counts(system, counts), said)


@app.command()
def restart(service: str) -> None:
    """Replace every replica, one after the other; nothing is lost."""
    from deploy.local import scaling, show

    with show.changing() as (system, said):
        scaling.restart(system, service, said)


@app.command()
def dev(service: str) -> None:
    """One service with reload and a debugger, in the foreground; the rest goes on running."""
    from deploy.local import dev as story
    from deploy.local.client import running_system

    story.develop(running_system(), service)


@app.command()
def kill(
    service: str,
    instance: Instance = None,
    signal: Annotated[str | None, Option("--signal", help="KILL (the default), STOP or CONT.")] = None,
    seconds: Annotated[float | None, Option("--for", help="STOP or KILL, and back after so many seconds.")] = None,
) -> None:
    """A fault: a signal to a replica's whole process group."""
    from deploy.local import killing
    from deploy.local.client import running_system

    echo(killing.kill(running_system(), service, instance, signal, seconds))


# Further commands, which look at a running system and turn its knobs.
from deploy.local import cli_lab, cli_live  # noqa: E402, F401
