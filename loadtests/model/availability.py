"""How often something is there: one part, parts that are all needed, parts that stand in for each other, and repairs.

Symbols: A availability (share of time), F mean time to failure (s), M mean time to repair (s), n parts of which k
are needed. Parts fail independently of each other; what takes several down at once (a zone, a bad release) is a part
of its own.

Source: Trivedi and Bobbio, "Reliability and Availability Engineering", 2017, chapters 4 and 9; Barlow and Proschan,
"Mathematical Theory of Reliability", 1965.
"""

import math
from dataclasses import dataclass

from loadtests.model.chains import first_passage_s, stationary
from loadtests.model.checks import not_negative, positive, share, whole

YEAR_S = 365.25 * 24 * 3600


def availability(failure_s: float, repair_s: float) -> float:
    """A = F / (F + M). failure_s: F, from repaired to failed (s); repair_s: M, from failed to repaired (s).

    Raises ValueError.
    """
    positive(failure_s=failure_s)
    not_negative(repair_s=repair_s)
    return failure_s / (failure_s + repair_s)


def series(*parts: float) -> float:
    """All are needed: A = prod A_i. Raises ValueError."""
    _each(parts)
    return math.prod(parts)


def parallel(*parts: float) -> float:
    """One is enough: A = 1 - prod (1 - A_i). Raises ValueError."""
    _each(parts)
    return 1 - math.prod(1 - part for part in parts)


def k_of_n(k: int, n: int, part: float) -> float:
    """k of n equal parts are enough, each repaired by itself: A = sum_{i=k}^n (n choose i) A^i (1 - A)^{n-i}.

    Raises ValueError.
    """
    whole(1, k=k, n=n, most_k=n - k + 1)
    share(part=part)
    return math.fsum(math.comb(n, i) * part**i * (1 - part) ** (n - i) for i in range(k, n + 1))


def nines(part: float) -> float:
    """-log10(1 - A): 3 for 0.999; infinite for 1. Raises ValueError."""
    share(part=part)
    return -math.log10(1 - part) if part < 1 else math.inf


def downtime_s(part: float, span_s: float = YEAR_S) -> float:
    """(1 - A) T: how long it is away within span_s, a year unless something else is said (s). Raises ValueError."""
    share(part=part)
    not_negative(span_s=span_s)
    return (1 - part) * span_s


@dataclass(frozen=True)
class Repaired:
    """k of n with repair: its availability, failures (1/s), mean time to the first failure and of one outage (s)."""

    availability: float
    failures_per_s: float
    first_failure_s: float
    outage_s: float


def k_of_n_with_repair(k: int, n: int, failure_s: float, repair_s: float, crews: int | None = None) -> Repaired:
    """k of n parts are enough; failed ones are repaired by `crews` at once, by default as many as have failed.

    A birth-death chain of i failed parts: up (n - i)/F, down min(i, crews)/M. A = sum of p_0 … p_{n-k}. It goes down
    at the rate p_{n-k} k/F; an outage lasts (1 - A)/rate. Raises ValueError. Trivedi and Bobbio, chapter 9 (the
    shared repair model).
    """
    whole(1, k=k, n=n, most_k=n - k + 1)
    positive(failure_s=failure_s, repair_s=repair_s)
    crews = n if crews is None else crews
    whole(1, crews=crews)
    fails = [(n - failed) / failure_s for failed in range(n)]
    repairs = [min(failed, crews) / repair_s for failed in range(1, n + 1)]
    shares, spare = stationary(fails, repairs), n - k
    down, rate = math.fsum(shares[spare + 1 :]), shares[spare] * fails[spare]
    first_s = first_passage_s(fails[: spare + 1], repairs[:spare])
    return Repaired(1 - down, rate, first_s, down / rate if rate else 0.0)


def _each(parts: tuple[float, ...]) -> None:
    whole(1, number_of_parts=len(parts))
    share(**{f"part {number}": part for number, part in enumerate(parts, 1)})
