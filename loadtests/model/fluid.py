"""A queue as a fluid: what a change of load and of capacity does before averages of a steady state mean anything.

dq/dt = l(t) - m(t) while q > 0 or l > m; the wait of whoever comes at t is q(t) / m(t).

Symbols: l offered rate (1/s), m capacity (1/s), q requests waiting. Source: Newell, "Applications of Queueing Theory",
2nd edition, chapter 2 (deterministic fluid approximation).
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadtests.model.checks import not_negative, positive

Curve = Callable[[float], float]


@dataclass(frozen=True)
class Fluid:
    """late_s: how long newcomers had to wait for more than `bearable_s`; longest_wait_s: the worst of them."""

    late_s: float
    longest_wait_s: float


def fluid(
    rate: Curve, capacity: Curve, seconds: float, *, bearable_s: float, patience_s: float = float("inf"),
    step_s: float = 0.01,
) -> Fluid:  # fmt: skip
    """Integrate by steps of `step_s`. rate and capacity: 1/s at a second. patience_s: who would wait longer is refused.

    Raises ValueError.
    """
    positive(seconds=seconds, step_s=step_s)
    not_negative(bearable_s=bearable_s)
    queue = late_s = longest_s = 0.0
    for number in range(round(seconds / step_s)):
        now = number * step_s
        here = capacity(now)
        positive(capacity=here)
        queue = min(max(0.0, queue + (rate(now) - here) * step_s), here * patience_s)
        wait_s = queue / here
        late_s += step_s if wait_s > bearable_s else 0.0
        longest_s = max(longest_s, wait_s)
    return Fluid(late_s, longest_s)
