"""Was the load spread over the replicas as the strategy says?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

# What each strategy promises of equal, healthy replicas. The others follow the load, the client or the key.
EVEN = ("round_robin", "random", "random_two", "least_conn", "p2c")
ALPHA = 0.01
TOLERANCE = 0.05
FEWEST = 5  # expected of each replica, for the chi-square distribution to hold


@dataclass(frozen=True, slots=True)
class Spread:
    """counts and expected: instance -> requests. off: the largest |count / expected - 1|. passed: None cannot tell."""

    counts: dict[str, int]
    expected: dict[str, float]
    chi_square: float
    p_value: float
    off: float
    passed: bool | None
    why: str


def promised_shares(
    strategy: str, instances: Collection[str], weights: Mapping[str, float] | None = None
) -> dict[str, float] | None:
    """instance -> share of the requests, adding up to 1; None for a strategy that promises none.

    `weights` counts for `weighted` and for the gateway's `round_robin`, which follows registered weights too.
    """
    if strategy not in (*EVEN, "weighted") or not instances:
        return None
    weigh = weights if strategy in ("weighted", "round_robin") and weights else dict.fromkeys(instances, 1.0)
    total = sum(weigh[instance] for instance in instances)
    return {instance: weigh[instance] / total for instance in instances}


def check_spread(counts: Mapping[str, int], shares: Mapping[str, float], tolerance: float = TOLERANCE) -> Spread:
    """Pearson's chi-square test of the counts against the shares, with a tolerance beside it.

    Statistic: sum of (count - expected)^2 / expected, with one degree of freedom less than there are replicas.
    It passes when chance explains the difference (p >= 0.01), or when no replica is further than `tolerance` from
    its share: with a million requests the test finds differences of a tenth of a percent, which nobody minds.
    Raises ValueError for an instance that no share is promised.
    """
    from scipy.stats import chi2

    if strangers := set(counts) - set(shares):
        raise ValueError(f"no share is promised to {', '.join(sorted(strangers))}")
    full = {instance: int(counts.get(instance, 0)) for instance in shares}
    total = sum(full.values())
    expected = {instance: share * total for instance, share in shares.items()}
    if len(shares) < 2 or min(expected.values()) < FEWEST:
        return Spread(full, expected, 0.0, 1.0, 0.0, None, "one replica, or too few requests to tell")
    statistic = sum((full[i] - expected[i]) ** 2 / expected[i] for i in shares)
    p_value = float(chi2.sf(statistic, len(shares) - 1))
    off = max(abs(full[i] / expected[i] - 1) for i in shares)
    passed = p_value >= ALPHA or off <= tolerance
    chance = "chance explains it" if p_value >= ALPHA else f"chance does not explain it (p = {p_value:.2g})"
    why = f"the furthest replica is {off:.1%} off its share; {chance}"
    return Spread(full, expected, statistic, p_value, off, passed, why)
