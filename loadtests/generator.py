"""`python -m loadtests.generator`: a load on Locust, one line of CSV for each request.

Open loop (`--rate`, `--profile`): journeys begin on a seeded schedule, whatever became of those before. Closed loop
(`--users`): each user begins a journey when the last one has ended. Both make the journeys of `steps.JOURNEYS`.

It signs in customers if the mix needs some, prints `{"began": seconds}` (monotonic clock) when the load begins, and
goes on until its standard input ends, a SIGTERM comes or `--seconds` are over. Then it waits for what is under way and
prints a line about itself: requests, CPU seconds, how late requests left.
"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported

import argparse  # noqa: E402
import gc  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import random  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402
from gevent.pool import Pool  # noqa: E402
from locust import task  # noqa: E402
from locust.env import Environment  # noqa: E402

from loadtests.arrivals import arrivals, parse_mix  # noqa: E402
from loadtests.crowd import MOST_UNDER_WAY, TIMEOUT_S, Crowd  # noqa: E402
from loadtests.neighbours import Neighbours  # noqa: E402
from loadtests.recorder import Recorder  # noqa: E402
from loadtests.shapes import Profile, parse_profile  # noqa: E402
from loadtests.shoppers import Customer  # noqa: E402
from loadtests.steps import JOURNEYS  # noqa: E402

LONGEST_S = 24 * 3600.0


def open_loop(crowd: Crowd, options: argparse.Namespace, began: float, stop: Event) -> int:
    """Begin each journey when it is due, in a greenlet of its own. Returns the most that were under way at once."""
    pool, most = Pool(), 0
    schedule = arrivals(options.profile, options.mix, options.seed, options.arrivals)
    for number, (at_s, journey) in enumerate(schedule):
        due = began + at_s
        if at_s > options.seconds or _stopped_before(due, stop):
            break
        if len(pool) >= MOST_UNDER_WAY:
            crowd.failed(journey, due, RuntimeError("not sent: too many are under way"))
            continue
        pool.spawn(crowd.go, journey, number, due)
        most = max(most, len(pool))
    _stopped_before(began + options.seconds, stop)
    pool.join(timeout=TIMEOUT_S + 5)
    return most


def _stopped_before(moment: float, stop: Event) -> bool:
    """Wait for the moment. True as soon as we are told to stop."""
    wait_s = moment - time.monotonic()
    return bool(stop.wait(wait_s)) if wait_s > 0 else stop.is_set()


def closed_loop(environment: Environment, crowd: Crowd, options: argparse.Namespace, stop: Event) -> int:
    """Locust's users, each with the next journey of the mix once the last one has ended and it has thought."""
    numbers, rng = itertools.count(), random.Random(options.seed)
    journeys, weights = list(options.mix), list(options.mix.values())

    class User(Customer):
        def wait_time(self) -> float:
            return rng.uniform(*options.think)

        @task
        def journey(self) -> None:
            crowd.go(rng.choices(journeys, weights)[0], next(numbers), None)

    environment.user_classes = [User]
    runner = environment.create_local_runner()
    runner.start(options.users, spawn_rate=options.users)
    stop.wait(options.seconds)
    runner.quit()  # waits up to stop_timeout for each user's journey to end
    return int(options.users)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.generator", description="A load, sample by sample.")
    parser.add_argument("--host", required=True, help="the shop's address")
    parser.add_argument("--out", type=Path, required=True, help="where the samples go")
    load = parser.add_mutually_exclusive_group(required=True)
    load.add_argument("--rate", dest="profile", type=parse_profile, help="open loop: journeys a second")
    load.add_argument("--profile", type=parse_profile, help="open loop: seconds:rate,... with straight lines between")
    load.add_argument("--users", type=int, help="closed loop: how many users")
    parser.add_argument("--mix", type=parse_mix, default="page=1", help="journeys and weights: page=6,look=2,order=1")
    parser.add_argument("--arrivals", choices=("poisson", "constant"), default="poisson")
    parser.add_argument(
        "--think", type=_span, default="0.5-1.5", help="closed loop: seconds between journeys (0.5-1.5)"
    )
    parser.add_argument("--seconds", type=float, default=LONGEST_S, help="how long at most (a day)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=8, help="how many sign in, if the mix needs any (8)")
    parser.add_argument("--skus", type=int, default=100, help="how many products single orders choose among (100)")
    parser.add_argument("--card", default="4242424242424242", help="the test card that orders are paid with")
    parser.add_argument("--registry", help="the registry's address, for journeys that call services directly")
    parser.add_argument("--keys", type=Path, help="the file with the keys that sign service tokens")
    parser.add_argument("--strategy", default="p2c", help="how an instance is picked for direct calls (p2c)")
    options = parser.parse_args()
    if (
        options.seconds <= 0
        or options.customers < 1
        or options.skus < 1
        or (options.users is not None and options.users < 1)
    ):
        parser.error("--seconds, --customers, --skus and --users must be above zero")
    if unknown := [journey for journey in options.mix if journey not in JOURNEYS]:
        parser.error(f"no journey is called {', '.join(unknown)}; there are {', '.join(JOURNEYS)}")
    if (options.registry is None) != (options.keys is None):
        parser.error("--registry and --keys go together")
    return options


def _span(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    return float(low), float(high or low)


def main() -> int:
    options = arguments()
    logging.getLogger("locust").setLevel(logging.WARNING)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gevent.spawn(_stop_at_end_of_input, stop)
    environment = Environment(user_classes=[], host=options.host, stop_timeout=TIMEOUT_S)
    Customer.host = options.host
    neighbours = None
    if options.registry is not None:
        neighbours = Neighbours(options.registry, options.keys, options.strategy, options.seed)
    crowd = Crowd(environment, options.users or options.customers, options.mix, options.seed, neighbours)
    if crowd.strangers:
        sys.exit(f"{crowd.strangers} customers could not sign in at {options.host}")
    crowd.furnish(skus=options.skus, card=options.card)
    with options.out.open("w", buffering=1 << 16) as out:
        recorder = Recorder(out)
        environment.events.request.add_listener(recorder.note)
        gc.freeze()
        before, began = _cpu_s(), time.monotonic()
        _say({"began": began})
        if isinstance(options.profile, Profile):
            most = open_loop(crowd, options, began, stop)
        else:
            most = closed_loop(environment, crowd, options, stop)
    if neighbours is not None:
        neighbours.close()
    about = {"requests": recorder.count, "cpu_s": _cpu_s() - before, "late_p99_ms": recorder.late.percentile_ms(0.99)}
    _say(about | {"ended": time.monotonic(), "most_under_way": most})
    return 0


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _stop_at_end_of_input(stop: Event) -> None:
    FileObject(sys.stdin.buffer, "rb", close=False).read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
