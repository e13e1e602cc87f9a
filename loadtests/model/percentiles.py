"""How long the unlucky wait: percentiles of M/M/c, which are exact.

For M/G/c there is no closed form, so none is given. Symbols as in `queues`: l arrivals (1/s), S mean service time
(s), c servers, a = l S, C = Erlang C, m = 1/S. Raise ValueError for input that cannot be, and Overloaded where a >=
c.

Source: Gross 2.3 (distribution of waits).
"""

import math

from loadtests.model.checks import inside, not_negative, positive
from loadtests.model.queues import erlang_c


def longer_wait(t_s: float, arrivals: float, service_s: float, servers: int) -> float:
    """The share of requests that wait longer than t: P(W_q > t) = C exp(-(c m - l) t)."""
    not_negative(t_s=t_s, arrivals=arrivals)
    positive(service_s=service_s)
    return erlang_c(arrivals * service_s, servers) * math.exp(-(servers / service_s - arrivals) * t_s)


def wait_percentile_s(share: float, arrivals: float, service_s: float, servers: int) -> float:
    """The wait that this share of requests does not exceed (s).

    ln(C / (1 - share)) / (c m - l), and 0 where fewer have to wait at all.
    """
    inside(share=share)
    waits = longer_wait(0, arrivals, service_s, servers)
    return max(0.0, math.log(waits / (1 - share)) / (servers / service_s - arrivals)) if waits else 0.0


def longer_response(t_s: float, arrivals: float, service_s: float, servers: int) -> float:
    """The share of requests that are inside for longer than t: P(R > t).

    e^{-x} (1 + C (1 - e^{-k x}) / k) with x = m t, k = c - 1 - a; for k = 0 it is e^{-x} (1 + C x), and for c = 1
    exp(-(m - l) t).
    """
    waits, x = longer_wait(0, arrivals, service_s, servers), t_s / service_s
    k = servers - 1 - arrivals * service_s
    if abs(k * x) < 1e-6:  # the difference below would lose its digits
        return math.exp(-x) * (1 + waits * x)
    return math.exp(-x) + waits * (math.exp(-x) - math.exp(-x * (1 + k))) / k


def response_percentile_s(share: float, arrivals: float, service_s: float, servers: int) -> float:
    """The response time that this share of requests does not exceed (s): `longer_response` = 1 - share.

    For c = 1 it is -ln(1 - share) / (m - l). By bisection.
    """
    inside(share=share)
    low, high = 0.0, service_s
    while longer_response(high, arrivals, service_s, servers) > 1 - share:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        beyond = longer_response(middle, arrivals, service_s, servers) > 1 - share
        low, high = (middle, high) if beyond else (low, middle)
    return high
