"""Closed networks: N users go round; each thinks, asks, waits for the answer and asks again. One class of requests.

Symbols: N users, Z think time (s), D_k demand of one request at centre k over all its visits (s), c_k servers there,
X throughput (1/s), R response time (s), R_k residence time at k (s), Q_k mean number at k.

Sources: Reiser and Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing Networks", Journal of the ACM 27,
1980; Buzen, "Computational Algorithms for Closed Queueing Networks with Exponential Servers", Communications of the
ACM 16, 1973; Lazowska, Zahorjan, Graham and Sevcik, "Quantitative System Performance", 1984, chapter 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadtests.model.checks import not_negative, whole


@dataclass(frozen=True)
class Centre:
    """Where a request spends time. `queue`: it waits for one of `servers`, each of which needs demand_s.

    `delay`: nobody waits.
    """

    name: str
    demand_s: float
    kind: Literal["queue", "delay"] = "queue"
    servers: int = 1

    def __post_init__(self) -> None:
        not_negative(demand_s=self.demand_s)
        whole(1, servers=self.servers)
        if self.kind not in ("queue", "delay"):
            raise ValueError(f"a centre is a queue or a delay, not {self.kind!r}")


@dataclass(frozen=True)
class Solution:
    """A closed network with `users` in it.

    X in 1/s, times in s; by centre: residence_s, inside
    (mean number), utilization (of a delay, which is never full: as inside).
    """

    users: int
    throughput: float
    response_s: float
    residence_s: dict[str, float]
    inside: dict[str, float]
    utilization: dict[str, float]


def mva(centres: Sequence[Centre], users: int, think_s: float = 0) -> Solution:
    """Mean value analysis: for n = 1 … N: R_k = D_k (1 + Q_k(n-1)), R = sum R_k, X = n/(R + Z), Q_k = X R_k.

    At delays R_k = D_k. Exact for one server; c_k servers by Seidmann: a queue of D_k/c_k and a delay of
    D_k (c_k - 1)/c_k, which errs by up to a fifth around the knee (`convolution` does not). Raises ValueError. Reiser
    and Lavenberg 1980; LZGS 6.4; Seidmann, Schweitzer and Shalev-Oren, "Computerized Closed Queueing Network Models of
    Flexible Manufacturing Systems", 1987.
    """
    check(centres, users, think_s)
    queue_s = [0.0 if c.kind == "delay" else c.demand_s / c.servers for c in centres]
    delay_s = [c.demand_s - waited for c, waited in zip(centres, queue_s, strict=True)]
    in_line, residence, throughput = [0.0] * len(centres), [c.demand_s for c in centres], 0.0
    for n in range(1, users + 1):
        lines = [demand * (1 + ahead) for demand, ahead in zip(queue_s, in_line, strict=True)]
        residence = [line + delay for line, delay in zip(lines, delay_s, strict=True)]
        throughput = n / (sum(residence) + think_s)
        in_line = [throughput * line for line in lines]
    return solution(centres, users, throughput, residence)


def solution(centres: Sequence[Centre], users: int, throughput: float, residence: Sequence[float]) -> Solution:
    """What follows from X and the R_k: Q_k = X R_k (Little), U_k = X D_k / c_k."""
    names = [centre.name for centre in centres]
    servers = [1 if c.kind == "delay" else c.servers for c in centres]
    return Solution(
        users,
        throughput,
        sum(residence),
        dict(zip(names, residence, strict=True)),
        {name: throughput * spent for name, spent in zip(names, residence, strict=True)},
        {c.name: throughput * c.demand_s / count for c, count in zip(centres, servers, strict=True)},
    )


def check(centres: Sequence[Centre], users: int, think_s: float) -> None:
    """ValueError for a network that cannot be."""
    whole(1, users=users)
    not_negative(think_s=think_s)
    if not centres or sum(centre.demand_s for centre in centres) <= 0:
        raise ValueError("a network needs a centre with a demand above 0")
    if len({centre.name for centre in centres}) < len(centres):
        raise ValueError("two centres have the same name")
