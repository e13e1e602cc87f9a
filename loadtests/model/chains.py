"""Birth-death chains: a system that is in one of the states 0, 1, 2 … and moves only to a neighbour.

Source: Bolch, Greiner, de Meer and Trivedi, "Queueing Networks and Markov Chains", 2nd edition, 2006, section 3.1;
Kleinrock, "Queueing Systems, Volume 1", 1975, section 3.2.
"""

from collections.abc import Sequence
from itertools import accumulate

from loadtests.model.checks import not_negative, positive


def stationary(up: Sequence[float], down: Sequence[float]) -> list[float]:
    """The share of time in each state: p_i = p_0 prod_{j<i} up_j / down_{j+1}, with sum p_i = 1.

    up[i] rate from i to i+1 (1/s), down[i] rate from i+1 to i (1/s, above 0); one state more than rates.
    Raises ValueError. Weights are kept relative to the greatest, so that a thousand states neither over- nor underflow.
    """
    if len(up) != len(down):
        raise ValueError(f"as many rates up as down are needed, not {len(up)} and {len(down)}")
    not_negative(**{f"up[{i}]": rate for i, rate in enumerate(up)})
    positive(**{f"down[{i}]": rate for i, rate in enumerate(down)})
    weights, total = [1.0], 1.0
    for rate_up, rate_down in zip(up, down, strict=True):
        weights.append(weights[-1] * rate_up / rate_down)
        total += weights[-1]
        if weights[-1] > 1e200:
            weights, total = [w / weights[-1] for w in weights], total / weights[-1]
    return [weight / total for weight in weights]


def first_passage_s(up: Sequence[float], down: Sequence[float]) -> float:
    """Mean time until the chain that starts in 0 first reaches the state len(up): the sum of the climbs (s).

    Climb from i to i+1: m_i = (1 + down[i-1] m_{i-1}) / up[i], m_0 = 1/up[0]. up, down as in `stationary`, with one
    rate down less. Raises ValueError. Karlin and Taylor, "A First Course in Stochastic Processes", 1975, section
    4.7.
    """
    if len(up) != len(down) + 1:
        raise ValueError(f"one rate up more than down is needed, not {len(up)} and {len(down)}")
    positive(**{f"up[{i}]": rate for i, rate in enumerate(up)})
    not_negative(**{f"down[{i}]": rate for i, rate in enumerate(down)})
    climbs = accumulate(
        zip(up[1:], down, strict=True), lambda m, rates: (1 + rates[1] * m) / rates[0], initial=1 / up[0]
    )
    return sum(climbs)
