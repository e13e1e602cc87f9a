"""A results folder as a run leaves it, made from seeded random numbers: a fault at 20 s for 10 s, in two arms.

In the arm `breaker off` requests wait and fail while the fault lasts and for 8 s more; in `breaker on` for 2 s only.
`python -m loadtests.lab.tests.synthetic FOLDER` makes one with plots and a report, to be looked at.
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np

from loadtests.lab.columns import TYPES, Columns

BEGIN_S, END_S, LAST_S = 20.0, 30.0, 60.0
ARMS = {"breaker off": 38.0, "breaker on": 22.0}  # until when it hurts
RATE = 80
INSTANCES = ("catalog-a-1", "catalog-a-2", "catalog-a-3")


def rows(arm, seed=1, rate=RATE, hurts_until=30.0, hurts_from=BEGIN_S):
    """Text for each request: Poisson arrivals, log-normal latency, the first instance away during the fault."""
    rng = np.random.default_rng(seed)
    for due in np.cumsum(rng.exponential(1 / rate, int(LAST_S * rate))):
        hurt = hurts_from <= due < hurts_until
        late, took = rng.exponential(0.2), rng.lognormal(np.log(20), 0.5) + 400 * hurt * rng.random()
        failed = hurt and rng.random() < 0.2
        there = INSTANCES[1:] if BEGIN_S <= due < END_S else INSTANCES
        yield {
            "arm": arm, "repeat": "1", "scheduled_s": f"{due:.6f}", "started_s": f"{due + late / 1000:.6f}",
            "ended_s": f"{due + (late + took) / 1000:.6f}", "latency_ms": f"{late + took:.3f}",
            "response_ms": f"{took:.3f}", "step": str(rng.choice(["page", "order"], p=[0.8, 0.2])),
            "status": "503" if failed else "200", "ok": str(int(not failed)), "error": "HTTP 503" if failed else "",
            "resent": str(int(hurt and rng.random() < 0.1)), "instance": "" if failed else str(rng.choice(there)),
        }  # fmt: skip


def samples(arm="breaker on", **options):
    return Columns.of_rows(rows(arm, **options))


def events(arm="breaker on", until=22.0):
    found = [(BEGIN_S, "fault_begin", "catalog-a-1 killed"), (END_S, "fault_end", "catalog-a-1 is back")]
    found += [(BEGIN_S + 0.8, "detected", "the registry lists it no more"), (until, "recovered", "")]
    return [{"arm": arm, "repeat": "1", "t_s": str(t), "kind": kind, "what": what} for t, kind, what in sorted(found)]


PREDICTION = {
    "made_at": "2026-01-01T11:59:30Z",
    "predictions": [
        {
            "name": "failed requests, breaker on", "formula": "rate * detection", "tex": r"F = \lambda \, t_d",
            "inputs": {"rate": {"value": 80, "unit": "1/s", "tex": r"\lambda"}, "detection": {"value": 1, "unit": "s"}},
            "value": 80.0, "unit": "requests", "source": "by definition", "made_at": "2026-01-01T11:59:30Z",
        },
        {
            "name": "mean time in the system", "formula": "W = S / (1 - U)", "tex": r"W = \frac{S}{1 - \rho}",
            "inputs": {}, "value": 25.0, "unit": "ms", "source": "Kleinrock 1975", "made_at": "2026-01-01T11:59:30Z",
        },
    ],
}  # fmt: skip
ENVIRONMENT = {
    "machine": {"cpu": "Example CPU", "cores": 2, "memory_bytes": 25769803776, "kernel": "Linux 6.1"},
    "versions": {"python": "3.11.7", "nginx": "1.22.1", "locust": "2.47.0", "sqlite": "3.40.1"},
    "settings": {"ORDER_DEADLINE_S": "30"},
    "seed": 1,
    "commit": "0123456789abcdef",
    "dirty": False,
    "command": "souk experiment run bank-away --quick",
}


def arm(name, failed):
    step = {"n": 3800, "mean_ms": 22.1, "p50_ms": 20.1, "p95_ms": 46.0, "p99_ms": 66.7, "response_p99_ms": 66.5}
    few = {"n": 40, "mean_ms": 22.1, "p50_ms": 20.1, "p95_ms": None, "p99_ms": None, "response_p99_ms": None}
    return {
        "name": name, "repeat": 1, "offered_rate": 80.0, "throughput": 75.2, "ok": 4500, "failed": failed, "resent": 27,
        "steps": {"page": step | {"mean_ci": [21.5, 22.7]}, "order": few | {"mean_ci": None}}, "limit": None,
        "cpu": {"service:catalog": 0.31, "nginx": 0.05, "generator": 0.2, "host": 0.9}, "spread": None,
    }  # fmt: skip


def check(name, passed, **changes):
    usual = {"name": name, "predicted": 80.0, "measured": 35.0, "low": 24.0, "high": 48.0, "unit": "requests"}
    return usual | {"tolerance": 0.2, "error": -0.5625, "passed": passed, "why": "within an error of 20 %"} | changes


def summary():
    return {
        "name": "bank-away", "title": "The bank is away", "question": "What does a breaker save?",
        "verdict": "fail", "why": "1 of 2 checks failed: failed requests", "quick": True, "seed": 1, "repeats": 1,
        "arms": [arm("breaker off", 303), arm("breaker on", 35)],
        "checks": [check("failed requests", False), check("the audit is clean", True, predicted=None, measured=None)],
        "faults": [], "audit": {"clean": True, "findings": []}, "plots": [],
    }  # fmt: skip


def write_csv(file, rows, names):
    with gzip.open(file, "wt", newline="") if file.suffix == ".gz" else file.open("w", newline="") as out:
        writer = csv.DictWriter(out, names)
        writer.writeheader()
        writer.writerows(rows)


def make_folder(folder, **changes):
    """Everything but plots and report. changes: parts of summary.json."""
    folder.mkdir(parents=True, exist_ok=True)
    every = [row for arm, until in ARMS.items() for row in rows(arm, hurts_until=until)]
    write_csv(folder / "samples.csv.gz", every, list(TYPES))
    heard = [event for arm, until in ARMS.items() for event in events(arm, until)]
    write_csv(folder / "events.csv", heard, ["arm", "repeat", "t_s", "kind", "what"])
    write_summary(folder, **changes)
    for name, content in (("prediction", PREDICTION), ("environment", ENVIRONMENT)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
    return folder


def write_summary(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary() | changes, indent=1))


def make_all(folder):
    """With plots, faults and the report."""
    from loadtests.lab import plots, report
    from loadtests.lab.recovery import judge_fault

    make_folder(folder)
    traces, faults = {}, []
    for name, until in ARMS.items():
        fault = judge_fault(
            samples(name, hurts_until=until), events(name, until), "catalog-a-1 killed", (2, LAST_S), BEGIN_S, END_S
        )
        faults.append(fault.as_dict())
        traces[name] = plots.Trace.of(samples(name, hurts_until=until), fault)
    good = {name: trace.samples.where(trace.samples.ok) for name, trace in traces.items()}
    clocks = {name: (found.latency_ms, found.response_ms) for name, found in good.items()}
    cpu = {subject: {"cores": cores} for subject, cores in arm("", 0)["cpu"].items()}
    drawn = [
        plots.failure_timeline(traces, folder, "timeline", "The bank is away for 10 s", service="catalog"),
        plots.latency_distribution(clocks, folder, "latency", "Latency of good answers"),
        plots.cpu_bars(cpu, folder, "cpu", "CPU used"),
    ]
    write_summary(folder, plots=drawn, faults=faults)
    return report.write(folder)


if __name__ == "__main__":
    print(make_all(Path(sys.argv[1])))
