"""`python -m loadtests`: shoppers against the running shop, without a web page; prints a table of what it was like.

Exits with 0 when every request succeeded and every order settled, with 1 when not, with 2 for bad usage or when
the shop does not answer.
"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported, as Locust needs it

import argparse  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from contextlib import suppress  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import requests  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.log import setup_logging  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.table import Table  # noqa: E402

from loadtests.shoppers import Shopper  # noqa: E402

STOP_TIMEOUT_S = 60  # more than an order may take to settle


def arguments() -> argparse.Namespace:
    port = os.environ.get("GATEWAY_PORT", "8080")
    parser = argparse.ArgumentParser(prog="python -m loadtests", description="Shoppers against the running shop.")
    parser.add_argument("--host", default=f"http://127.0.0.1:{port}", help="the shop's address")
    parser.add_argument("--users", type=int, default=10, help="how many shoppers (default 10)")
    parser.add_argument("--spawn-rate", type=float, default=2, help="new shoppers a second (default 2)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    options = parser.parse_args()
    if options.users < 1 or options.seconds <= 0 or options.spawn_rate <= 0:
        parser.error("--users, --spawn-rate and --seconds must be above zero")
    return options


def main() -> int:
    options = arguments()
    console = Console()
    try:
        requests.get(f"{options.host}/api/catalog/products", timeout=5).raise_for_status()
    except requests.RequestException as error:
        why = escape(str(error))
        console.print(f"[red]the shop at {options.host} does not answer[/]; start it with `make up` ({why})")
        return 2
    setup_logging("WARNING")
    return report(run(options), console)


def report(runner: Any, console: Console) -> int:
    """Print what was measured and what went wrong. Returns the exit code."""
    stats = runner.environment.stats
    console.print(table(stats))
    for failure in stats.errors.values():
        console.print(f"[red]{failure.occurrences} x {failure.method} {failure.name}: {escape(str(failure.error))}")
    for crash in runner.exceptions.values():
        console.print(f"[red]{crash['count']} x a shopper gave up: {escape(crash['msg'])}")
    failed = stats.total.num_failures + sum(crash["count"] for crash in runner.exceptions.values())
    settled = stats.get("order settles", "journey")
    console.print(f"{settled.num_requests - settled.num_failures} orders settled, {failed} failures")
    return 1 if failed or not settled.num_requests else 0


def run(options: argparse.Namespace) -> Any:
    """Load the shop, let the journeys under way end, and return Locust's runner with its statistics.

    Ctrl-C ends it early.
    """
    environment = Environment(user_classes=[Shopper], host=options.host, stop_timeout=STOP_TIMEOUT_S)
    runner = environment.create_local_runner()
    with suppress(KeyboardInterrupt):
        runner.start(options.users, spawn_rate=options.spawn_rate)
        gevent.sleep(options.seconds)
    runner.quit()  # waits up to stop_timeout for each shopper's visit to end
    return runner


def table(stats: Any) -> Table:
    result = Table(title="what shoppers saw (times in ms)")
    result.add_column("step")
    for heading in ("requests", "failures", "p50", "p95", "p99", "per second"):
        result.add_column(heading, justify="right")
    for entry in [*sorted(stats.entries.values(), key=lambda e: e.name), stats.total]:
        percentiles = [f"{entry.get_response_time_percentile(p) or 0:.0f}" for p in (0.5, 0.95, 0.99)]
        row = [entry.name, str(entry.num_requests), str(entry.num_failures), *percentiles, f"{entry.total_rps:.1f}"]
        result.add_row(*row)
    return result


if __name__ == "__main__":
    sys.exit(main())
