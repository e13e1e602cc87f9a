"""The story of `souk experiment`: what is said while experiments run, and how they ended."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.local.errors import Refused
from deploy.runtime import Kind
from loadtests.lab import experiment as experiments
from loadtests.lab.errors import CannotRun, NotHere
from loadtests.lab.laboratory import Said
from loadtests.lab.place import Place
from loadtests.lab.processes import Processes
from loadtests.lab.runner import RESULTS, Options, Outcome, Session, one_interrupt
from loadtests.lab.verdict import EXIT_CODES

COLOURS = dict(zip(EXIT_CODES, ("green", "red", "yellow"), strict=True))
WORST = (1, 3, 0)  # of several exit codes


def show_list() -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("experiment", no_wrap=True)
    table.add_column("question")
    for one in experiments.every():
        table.add_row(one.name, one.question)
    Console().print(table)


def run(
    name: str | None, *, quick: bool, repeat: int | None, seed: int, target: str | None, results: Path | None,
    pace: float, runtime: Kind = Kind.LOCAL,
) -> int:  # fmt: skip
    """One experiment, or all without a name. Returns the exit code: the worst of all."""
    options = Options(quick, repeat, seed, target, (results or RESULTS).resolve(), pace)
    console, said = Console(), _quiet
    try:
        chosen = [_one(name, pace)] if name is not None else experiments.every()
        with (
            _progress(console, len(chosen)) as (progress, said),
            one_interrupt(said),
            Session(options, said, _place(runtime)) as session,
        ):
            outcomes = _run_each(chosen, session, progress, console)
    except (CannotRun, Refused) as error:
        print(f"souk: {error}", file=sys.stderr)
        return CannotRun.code
    except KeyboardInterrupt:
        print("souk: interrupted", file=sys.stderr)
        return 3
    if len(chosen) > 1:
        console.print(_table(outcomes))
    return next(code for code in WORST if code in {outcome.code for outcome in outcomes})


def _one(name: str, pace: float) -> experiments.Experiment:
    """Raises CannotRun where a pace would be without effect."""
    found = experiments.load(name)
    if pace != 1 and not found.paced:
        raise CannotRun(f"{name} takes no --pace: what it offers is part of what it asks")
    return found


def _place(runtime: Kind) -> Callable[[], Place]:
    if runtime is Kind.LOCAL:
        return Processes
    from deploy.compose.laboratory import ComposePlace

    return ComposePlace


def publish(folders: list[Path], results: Path | None) -> int:
    """Put runs into the documentation, and say which pages they are on. Returns the exit code."""
    from loadtests.lab import publish as publisher

    try:
        for page in publisher.publish(folders or publisher.newest((results or RESULTS).resolve())):
            print(page)
    except CannotRun as error:
        print(f"souk: {error}", file=sys.stderr)
        return error.code
    return 0


def _run_each(
    chosen: list[experiments.Experiment], session: Session, progress: "_Counter", console: Console
) -> list[Outcome]:
    """Each in turn; a failure stops nothing, Ctrl-C does, and so does what cannot run at all if it is alone."""
    outcomes: list[Outcome] = []
    for number, one in enumerate(chosen, 1):
        progress.next(number, one.name)
        try:
            outcome = session.run(one)
        except NotHere as error:
            if len(chosen) == 1:
                raise
            console.print(f"{one.name}: left out: {escape(str(error))}", soft_wrap=True)
            continue
        except CannotRun as error:
            if len(chosen) == 1:
                raise
            outcome = Outcome(one.name, "inconclusive", str(error), Path())
        outcomes.append(outcome)
        console.print(_line(outcome), soft_wrap=True)
        if outcome.interrupted:
            print("souk: interrupted; the samples so far are kept", file=sys.stderr)
            break
    return outcomes


def _line(outcome: Outcome) -> str:
    where = f"\n  {escape(str(outcome.folder / 'report.html'))}" if outcome.folder.name else ""
    verdict = f"[{COLOURS[outcome.verdict]}]{outcome.verdict}[/]"
    return f"{outcome.name}: {verdict}: {escape(outcome.why)}{where}"


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("experiment", "verdict", "why"):
        table.add_column(heading)
    for outcome in outcomes:
        table.add_row(outcome.name, f"[{COLOURS[outcome.verdict]}]{outcome.verdict}[/]", escape(outcome.why))
    return table


class _Counter:
    """Which of how many runs, for the progress display."""

    def __init__(self, count: int) -> None:
        self._count, self.text = count, ""

    def next(self, number: int, name: str) -> None:
        self.text = f"[{number}/{self._count}] {name}" if self._count > 1 else name


@contextmanager
def _progress(console: Console, count: int) -> Iterator[tuple[_Counter, Said]]:
    """A line that says what is going on and for how long; in a log, a line for each change."""
    counter = _Counter(count)
    if not console.is_terminal:
        began = time.monotonic()
        yield counter, lambda what: print(f"{time.monotonic() - began:6.1f} s  {counter.text}: {what}", flush=True)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("")
        yield counter, lambda what: display.update(task, description=escape(f"{counter.text}: {what}"))


def _quiet(_what: str) -> None:
    pass
