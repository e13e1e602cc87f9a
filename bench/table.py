"""How all benchmarks print: one table each, with what is promised beside what was measured."""

import os
import statistics
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from loadtests.samples import percentile


def show(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> None:
    """Print a table; the first column is text, the others are numbers. note: one line below it."""
    table = Table(title=title, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"{note + '; ' if note else ''}load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")


def spans(values: Sequence[float]) -> list[float]:
    """Median, 95th and 99th percentile, largest."""
    return [statistics.median(values), percentile(values, 0.95), percentile(values, 0.99), max(values)]
