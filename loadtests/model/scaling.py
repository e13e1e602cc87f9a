"""How throughput grows with replicas: what is serial bounds it, and what has to be agreed on turns it back.

Symbols: n replicas (or cores), X(n) throughput (1/s), l throughput of one, s (sigma) contention: the share of work
that is done one after the other, k (kappa) coherency: the cost of each pair keeping in step. USL stands for
Universal Scalability Law.

Sources: Amdahl, AFIPS 1967; Gustafson, "Reevaluating Amdahl's Law", Communications of the ACM 31, 1988; Gunther,
"Guerrilla Capacity Planning", 2007, chapters 4 to 6; Karp and Flatt, "Measuring Parallel Processor Performance",
Communications of the ACM 33, 1990.
"""

import math

from loadtests.model.checks import not_negative, positive, share


def amdahl(n: float, serial: float) -> float:
    """Amdahl's law: speed-up S = 1 / (s + (1 - s)/n), below 1/s for any n. s serial share. Raises ValueError.

    Amdahl 1967.
    """
    positive(n=n)
    share(serial=serial)
    return 1 / (serial + (1 - serial) / n)


def serial_share(n: float, speedup: float) -> float:
    """Karp-Flatt metric, Amdahl's law solved for s: e = (1/S - 1/n) / (1 - 1/n). Raises ValueError.

    Below 0 where n replicas did more than n times the work of one. If e grows with n, then not serial work but growing
    overhead is the reason, and USL fits better. Karp and Flatt 1990.
    """
    positive(n=n - 1, speedup=speedup)
    return (1 / speedup - 1 / n) / (1 - 1 / n)


def gustafson(n: float, serial: float) -> float:
    """Gustafson's law: S = s + (1 - s) n, where the work grows with the machine and not the speed.

    Raises ValueError.
    """
    positive(n=n)
    share(serial=serial)
    return serial + (1 - serial) * n


def usl(n: float, one: float, contention: float, coherency: float) -> float:
    """Universal Scalability Law: X(n) = l n / (1 + s (n - 1) + k n (n - 1)); Amdahl's law for k = 0. Raises ValueError.

    one: l (1/s), contention: s, coherency: k. Gunther, chapter 4.
    """
    positive(n=n, one=one)
    not_negative(contention=contention, coherency=coherency)
    return one * n / (1 + contention * (n - 1) + coherency * n * (n - 1))


def peak(contention: float, coherency: float) -> float:
    """Where X(n) is greatest: n* = sqrt((1 - s)/k); infinite for k = 0 and s < 1; never below 1. Raises ValueError.

    Gunther, chapter 4.
    """
    not_negative(contention=contention, coherency=coherency)
    if contention >= 1:
        return 1.0
    return max(1.0, math.sqrt((1 - contention) / coherency)) if coherency else math.inf
