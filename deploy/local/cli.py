"""The `souk` command: a table of contents. Each command imports its story when it is called."""

from typing import Annotated

# All of typer by way of `cli_app`, which says so when packages are missing.
from deploy.local.cli_app import LOCAL, Argument, Instance, Option, Where, app, echo, typer


@app.command()
def up(
    detach: Annotated[bool, Option("--detach", "-d", help="Return when the system serves.")] = False,
    runtime: Where = LOCAL,
) -> None:
    """Start everything, and wait until it serves."""
    from deploy.local import show
    from deploy.runtime import find

    system = find(runtime)
    if system.silence() is None:
        echo("Souk runs already; nothing is changed.")
        show.table(system)
        return
    with show.progress() as said:
        system.up(said)
    show.table(system)
    if not detach:
        echo("\nSouk runs. Ctrl-C stops it.")
        system.stay()


@app.command()
def down(runtime: Where = LOCAL) -> None:
    """Stop everything, gracefully first."""
    from deploy.runtime import find

    echo(find(runtime).down())


@app.command()
def reset(yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False, runtime: Where = LOCAL) -> None:
    """Stop everything and remove SOUK_HOME with all its data."""
    from deploy.runtime import find

    system = find(runtime)
    what = system.to_wipe()
    if what is None:
        echo("There is nothing to remove.")
        return
    if not yes:
        typer.confirm(f"Remove {what} with all orders, users and logs?", abort=True)
    system.down()
    system.wipe()
    echo(f"{what} is removed.")


@app.command()
def status(as_json: Annotated[bool, Option("--json", help="For programs.")] = False, runtime: Where = LOCAL) -> None:
    """Every process: service, instance, pid, address, health, uptime, memory."""
    from deploy.local import show
    from deploy.runtime import find

    show.status(find(runtime), as_json)


@app.command()
def scale(counts: Annotated[list[str], Argument(metavar="SERVICE=N ...")], runtime: Where = LOCAL) -> None:
    """More or fewer replicas, gracefully, until the system is stopped."""
    from deploy.local import scaling, show

    with show.changing(runtime) as (system, said):
        system.scale(scaling.parse_counts(system.fleet, counts), said)


@app.command()
def restart(service: str, runtime: Where = LOCAL) -> None:
    """Replace every replica, one after the other; nothing is lost."""
    from deploy.local import show

    with show.changing(runtime) as (system, said):
        system.fleet.get(service)
        system.restart(service, said)


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
    runtime: Where = LOCAL,
) -> None:
    """A fault: a signal to a replica's whole process group, or to its container."""
    from deploy.local import killing
    from deploy.runtime import running

    echo(killing.kill(running(runtime), service, instance, signal, seconds))


@app.command()
def partition(
    service: str,
    other: Annotated[str, Option("--from", metavar="OTHER", help="What it shall not reach, such as broker.")],
    seconds: Annotated[float, Option("--for", help="For so many seconds.")] = 30.0,
    runtime: Where = LOCAL,
) -> None:
    """A fault: the network between two services is cut, while both go on running."""
    from deploy.local import killing, show

    with show.changing(runtime) as (system, said):
        echo(killing.partition(system, service, other, seconds, said))


# Further commands, which look at a running system and turn its knobs.
from deploy.local import cli_lab, cli_live  # noqa: E402, F401
