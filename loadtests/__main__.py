"""`python -m loadtests`: shoppers against the running shop, without a web page; prints a table of what it was like.

Exits with 0 when every request succeeded and every order settled, with 1 when not, with 2 for bad usage or when
the shop does not answer.
"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported, as Locust needs it

import argparse  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import requests  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.log import setup_logging  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from loadtests.shoppers import Shopper  # noqa: E402


def arguments() -> argparse.Namespace:
    port = os.environ.get("GATEWAY_PORT", "8080")
    parser = argparse.ArgumentParser(prog="python -m loadtests", description="Shoppers against the running shop.")
    parser.add_argument("--host", default=f"http://127.0.0.1:{port}", help="the shop's address")
    parser.add_argument("--users", type=int, default=10, help="how many shoppers (default 10)")
    parser.add_argument("--spawn-rate", type=float, default=5, help="new shoppers a second (default 5)")
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
        console.print(f"[red]the shop at {options.host} does not answer[/]; start it with `make up` ({error})")
        return 2
    setup_logging("WARNING")
    stats = run(options)
    console.print(table(stats))
    failed = stats.total.num_failures
    for error in stats.errors.values():
        console.print(f"[red]{error.occurrences} x {error.method} {error.name}: {error.error}")
    settled = stats.get("order settles", "journey").num_requests
    console.print(f"{settled} orders settled, {failed} failures")
    return 1 if failed or not settled else 0


def run(options: argparse.Namespace) -> Any:
    """Load the shop, let the journeys under way end, and return Locust's statistics."""
    environment = Environment(user_classes=[Shopper], host=options.host, stop_timeout=60)
    runner = environment.create_local_runner()
    runner.start(options.users, spawn_rate=options.spawn_rate)
    gevent.sleep(options.seconds)
    runner.quit()  # waits up to stop_timeout for each shopper's visit to end
    return environment.stats


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
