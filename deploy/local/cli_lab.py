"""The commands of the laboratory: `souk experiment list`, `run` and `publish`."""

from pathlib import Path
from typing import Annotated

from deploy.local.cli_app import LOCAL, Argument, Option, Where, app, echo, typer

experiments = typer.Typer(help="The laboratory: experiments that predict, measure and judge.", no_args_is_help=True)
app.add_typer(experiments, name="experiment")


@experiments.command("list")
def list_experiments() -> None:
    """All experiments: name, and the question that each asks."""
    from deploy.local import laboratory as story

    story.show_list()


@experiments.command("run")
def run(
    name: Annotated[str | None, Argument(help="One that `souk experiment list` names.")] = None,
    every: Annotated[bool, Option("--all", help="All of them, one after the other.")] = False,
    quick: Annotated[
        bool, Option("--quick", help="Less than a minute: to see how it goes, with wider intervals.")
    ] = False,
    repeat: Annotated[int | None, Option("--repeat", min=1, help="How often each arm is measured.")] = None,
    seed: Annotated[int, Option("--seed", min=0, help="The same seed makes the same load.")] = 1,
    target: Annotated[str | None, Option("--target", metavar="URL", help="A shop that runs already.")] = None,
    results: Annotated[Path | None, Option("--results", metavar="DIR", help="loadtests/results, if not given.")] = None,
    pace: Annotated[
        float, Option("--pace", min=0.2, max=5, help="Share of the usual rates that is offered: for a slow machine.")
    ] = 1.0,
    runtime: Where = LOCAL,
) -> None:
    """Run an experiment on a system of its own. Exit 0: pass, 1: fail, 2: bad input, 3: inconclusive."""
    from deploy.local import laboratory as story

    if every == (name is not None):
        echo("souk: give the name of one experiment, or --all", err=True)
        raise typer.Exit(2)
    raise typer.Exit(
        story.run(
            name, quick=quick, repeat=repeat, seed=seed, target=target, results=results, pace=pace, runtime=runtime
        )
    )


@experiments.command("publish")
def publish(
    folders: Annotated[list[Path] | None, Argument(metavar="[FOLDER]...", help="Of runs; the newest, if none.")] = None,
    results: Annotated[Path | None, Option("--results", metavar="DIR", help="loadtests/results, if not given.")] = None,
) -> None:
    """Put what runs found into docs/experiments: the newest of each experiment, or those that are named."""
    from deploy.local import laboratory as story

    raise typer.Exit(story.publish(folders or [], results))
