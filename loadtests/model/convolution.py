"""Closed networks with many servers at a centre, exactly. Symbols and sources as in `networks`."""

from collections.abc import Sequence

import numpy as np

from loadtests.model.networks import Centre, Solution, check, mva, solution


def convolution(centres: Sequence[Centre], users: int, think_s: float = 0) -> Solution:
    """The same network by Buzen's convolution: exact for any number of servers. X = G(N-1)/G(N). Raises ValueError.

    The normalising constant G is the convolution over k of g_k(n) = prod_{j<=n} D_k / min(j, c_k), for delays D_k^n/n!;
    Q_k comes from the convolution of all but k. Everything is a sum of positive numbers, so nothing cancels, unlike in
    load-dependent MVA. It needs time in proportion to K^2 N^2: for thousands of users, not for millions. Buzen 1973.
    """
    check(centres, users, think_s)
    places = [*centres, Centre("think", think_s, "delay")]
    scale = mva(
        centres, users, think_s
    ).throughput  # with demands in units of 1/X neighbouring G(n) are near each other
    factors = [_factor(centre, users, scale) for centre in places]
    whole_network = _convolved(factors, users)
    throughput = float(scale * whole_network[users - 1] / whole_network[users])
    residence = []
    for k, own in enumerate(factors[:-1]):
        others = _convolved(factors[:k] + factors[k + 1 :], users)
        shares = own * others[::-1]
        residence.append(float(shares @ np.arange(users + 1) / shares.sum()) / throughput)
    return solution(centres, users, throughput, residence)


def _factor(centre: Centre, users: int, scale: float) -> np.ndarray:
    """g_k(0) … g_k(N), relative to the greatest of them: only ratios of sums of products count."""
    if centre.demand_s * scale == 0:
        return np.concatenate(([1.0], np.zeros(users)))
    servers = users if centre.kind == "delay" else centre.servers
    steps = np.log(centre.demand_s * scale) - np.log(np.minimum(np.arange(1, users + 1), servers))
    logarithms = np.concatenate(([0.0], np.cumsum(steps)))
    return np.exp(logarithms - logarithms.max())


def _convolved(factors: Sequence[np.ndarray], users: int) -> np.ndarray:
    product = factors[0]
    for factor in factors[1:]:
        product = np.convolve(product, factor)[: users + 1]
        product = product / product.max()
    return product
