"""The `souk` command: a table of contents. Each command imports its story when it is called."""

import sys

try:
    import typer
except ImportError:
    sys.exit("souk: python packages are missing: run `sh deploy/setup.sh`")
from typer.core import TyperGroup

from deploy.local.errors import Refused


class Commands(TyperGroup):
    """Turns what a command refuses into one line on stderr and its exit code."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except Refused as refusal:
            typer.echo(f"souk: {refusal}", err=True)
            raise typer.Exit(refusal.code) from None
        except KeyboardInterrupt:
            typer.echo("souk: interrupted", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Commands,
    help="Souk, a small shop of microservices: start it, look at it, break it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def up(detach: bool = typer.Option(False, "--detach", "-d", help="Return when the system serves.")) -> None:
    """Start everything, and wait until it serves."""
    from deploy.local import show, starting
    from deploy.local.client import find_system

    system = find_system()
    if system.supervisor_pid is not None:
        typer.echo("Souk runs already; nothing is changed.")
        show.table(system)
        return
    with show.progress() as said:
        system = starting.start(system, said)
    show.table(system)
    if not detach:
        typer.echo("\nSouk runs. Ctrl-C stops it.")
        starting.stay(system)


@app.command()
def down() -> None:
    """Stop everything, gracefully first."""
    from deploy.local.client import find_system
    from deploy.local.stopping import stop

    system = find_system()
    if not system.home.run.exists():
        typer.echo("Souk does not run.")
        return
    with system.home.lock():
        ended = stop(system)
    was = "Souk is stopped." if system.supervisor_pid or ended else "Souk does not run."
    typer.echo(was)


@app.command()
def reset(yes: bool = typer.Option(False, "--yes", help="Do not ask.")) -> None:
    """Stop everything and remove SOUK_HOME with all its data."""
    from deploy.local.client import find_system
    from deploy.local.stopping import stop, wipe

    system = find_system()
    if not system.home.path.exists():
        typer.echo(f"There is nothing at {system.home.path}.")
        return
    if not yes:
        typer.confirm(f"Remove {system.home.path} with all orders, users and logs?", abort=True)
    if system.home.run.exists():
        with system.home.lock():
            stop(system)
    wipe(system)
    typer.echo(f"{system.home.path} is removed.")


@app.command()
def status(as_json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """Every process: service, instance, pid, address, health, uptime, memory."""
    from deploy.local import show
    from deploy.local.client import find_system

    show.status(find_system(), as_json)
