"""What an autoscaler did: rates, latency against its bound, and replicas, arm by arm, over the same seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.lab.plots.style import COLOURS, GREY, figure, legend_below, save

if TYPE_CHECKING:
    from loadtests.lab.measured import Measured

DRAWN = ("-", (0, (5, 2)), (0, (1, 1)), "-.")


def scaling_timeline(
    arms: Mapping[str, "Measured"], service: str, slo_ms: float, folder: Path, name: str, title: str, caption: str = ""
) -> dict[str, str]:
    """Write the plot and return its row for summary.json. service: whose replicas; slo_ms: the p95 that is allowed."""
    from loadtests.lab.timeline import edges, timeline

    with figure(3, 5.6, sharex=True) as (made, (rate, latency, replicas)):
        for number, (arm, found) in enumerate(arms.items()):
            looks = {"color": COLOURS[number % len(COLOURS)], "linestyle": DRAWN[number % len(DRAWN)], "label": arm}
            seen = timeline(found.samples, edges(0, found.end_s), (0.95,))
            if number == 0:
                rate.plot(seen.middles, seen.offered, color=GREY, linewidth=1.0, label="offered")
            rate.plot(seen.middles, seen.good, **looks)
            latency.plot(seen.middles, seen.percentiles_ms[0.95], **looks)
            counts = found.over_time(service, "replicas")
            replicas.step([t for t, _ in counts], [value for _, value in counts], where="post", **looks)
        latency.axhline(slo_ms, color=GREY, linestyle=(0, (1, 1)), linewidth=1.2)
        latency.annotate(f"{slo_ms:g} ms", (0, slo_ms), xytext=(2, 2), textcoords="offset points", color=GREY)
        rate.set(ylabel="good answers /s", title=title, ylim=(0, None))
        latency.set(ylabel="p95, ms", ylim=(0, None))
        replicas.set(ylabel="replicas", xlabel="seconds", ylim=(0, None))
        legend_below(made, rate, columns=4)
        return save(made, folder, name, title, caption)
