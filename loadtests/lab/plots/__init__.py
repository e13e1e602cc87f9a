"""Pictures of a run, each as SVG and as PNG of the same figure.

`failure_timeline`, `curve`, `latency_distribution`, `cpu_bars` and `scaling_timeline` take numbers, draw, write both
files into the folder's `plots/`, and return a plot's row of `summary.json`: file, title and caption.
"""

from loadtests.lab.plots.cpu import cpu_bars
from loadtests.lab.plots.curves import Measured, Predicted, curve
from loadtests.lab.plots.failure import Trace, failure_timeline
from loadtests.lab.plots.latency import latency_distribution
from loadtests.lab.plots.scaling import scaling_timeline

__all__ = [
    "Measured",
    "Predicted",
    "Trace",
    "cpu_bars",
    "curve",
    "failure_timeline",
    "latency_distribution",
    "scaling_timeline",
]
