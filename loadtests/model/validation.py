"""The simulation beside an arm that was measured: the same load, the same machine, and how far off each figure is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.model.calibration import Calibration
from loadtests.model.layout import on_one_host
from loadtests.model.outcome import Outcome
from loadtests.model.simulation import Load, simulate


@dataclass(frozen=True)
class Compared:
    """A figure of the simulation and the measured one. error: measured / predicted - 1."""

    name: str
    predicted: float
    measured: float
    unit: str

    @property
    def error(self) -> float:
        return self.measured / self.predicted - 1


def simulate_arm(
    calibration: Calibration,
    arm: Mapping[str, Any],
    cores: float,
    *,
    seconds: float = 30,
    seed: int = 1,
    **replicas: int,
) -> Outcome:
    """The load of an arm of summary.json, on a machine with so many cores, of which others used what they used then.

    replicas: those of which there were several (payments=4). Raises ValueError where nothing is left of the machine.
    """
    others = max(0.0, arm["host_share"] * cores - sum(arm["cpu"].values()))
    mix = {step: float(found["n"]) for step, found in arm["steps"].items()}
    layout = on_one_host(calibration, cores - others, **replicas)
    return simulate(calibration, layout, Load(arm["offered_rate"], mix, seconds), seed=seed, warm_up_s=seconds / 10)


def compare(outcome: Outcome, arm: Mapping[str, Any], calibration: Calibration) -> list[Compared]:
    """Throughput (1/s), CPU of the whole system (cores), and the mean time of each step (ms)."""
    cores = sum(outcome.cores(service) for service in outcome.cpu_s) + sum(calibration.idle.values())
    return [
        Compared("throughput", outcome.throughput(), arm["throughput"], "1/s"),
        Compared("CPU", cores, sum(arm["cpu"].values()), "cores"),
        *(
            Compared(f"mean time of {step}", 1000 * outcome.mean_s(step), found["mean_ms"], "ms")
            for step, found in arm["steps"].items()
        ),
    ]
