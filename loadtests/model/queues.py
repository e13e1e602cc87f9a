"""One station: requests arrive at random (Poisson), wait in one line, and are served by one of c equal servers.

Symbols: l arrivals (1/s), S mean service time (s), c servers, a = l S offered load (erlang), r = a/c utilisation, cv
= standard deviation / mean of the service time. Each function raises ValueError for input that cannot be, and
Overloaded where r >= 1.

Sources: Kleinrock, "Queueing Systems, Volume 1", 1975 (below: Kleinrock); Gross, Shortle, Thompson and Harris,
"Fundamentals of Queueing Theory", 4th edition, 2008 (below: Gross); Harchol-Balter, "Performance Modeling and Design
of Computer Systems", 2013.
"""

from dataclasses import dataclass

from loadtests.model.checks import Overloaded, not_negative, positive, whole


@dataclass(frozen=True)
class Queue:
    """What a station does in the long run. Times in s; `waiting` and `inside` are mean numbers of requests (Little)."""

    utilization: float
    waits: float  # the share of requests that have to wait at all
    wait_s: float
    response_s: float
    waiting: float
    inside: float


def erlang_b(load: float, servers: int) -> float:
    """Erlang B, the share that is turned away by c servers without a line: B(c) = a B(c-1) / (c + a B(c-1)), B(0) = 1.

    a load (erlang), c servers. No factorials, so it is exact for thousands of servers. Raises ValueError. Gross 2.6.
    """
    not_negative(load=load)
    whole(0, servers=servers)
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    """Erlang C, the share that has to wait: C = B / (1 - r (1 - B)), B by `erlang_b`.

    a load (erlang), c servers, r = a/c. Raises ValueError; Overloaded where a >= c. Gross 2.3.
    """
    whole(1, servers=servers)
    blocked = erlang_b(load, servers)
    _check_carried(load, servers)
    return blocked / (1 - load / servers * (1 - blocked))


def mmc(arrivals: float, service_s: float, servers: int) -> Queue:
    """M/M/c: service times are exponential. W_q = C S / (c (1 - r)), R = W_q + S. Kleinrock 3.5; Gross 2.3."""
    return _queue(arrivals, service_s, servers, variability=1)


def mm1(arrivals: float, service_s: float) -> Queue:
    """M/M/1: R = S / (1 - r). Kleinrock 3.2; `mmc` with one server."""
    return mmc(arrivals, service_s, 1)


def mg1(arrivals: float, service_s: float, cv: float) -> Queue:
    """M/G/1 (Pollaczek-Khinchine), any service time: W_q = r S (1 + cv^2) / (2 (1 - r)). Exact. Kleinrock 5.6."""
    return mgc(arrivals, service_s, 1, cv)


def mgc(arrivals: float, service_s: float, servers: int, cv: float) -> Queue:
    """M/G/c by Lee and Longton: W_q = (1 + cv^2)/2 times that of M/M/c.

    Exact for c = 1 and for cv = 1, else an approximation. Lee and Longton, "Queueing Processes Associated with
    Airline Passenger Check-in", Operational Research Quarterly 10, 1959.
    """
    not_negative(cv=cv)
    return _queue(arrivals, service_s, servers, variability=(1 + cv**2) / 2)


def ggc(arrivals: float, arrival_cv: float, service_s: float, servers: int, cv: float) -> Queue:
    """G/G/c by Allen and Cunneen: W_q = (ca^2 + cv^2)/2 times that of M/M/c; ca is the cv of the time between arrivals.

    An approximation, `mgc` for ca = 1; evenly spaced arrivals have ca = 0. Allen, "Probability, Statistics, and
    Queueing Theory", 2nd edition, 1990, chapter 5.
    """
    not_negative(arrival_cv=arrival_cv, cv=cv)
    return _queue(arrivals, service_s, servers, variability=(arrival_cv**2 + cv**2) / 2)


def processor_sharing_s(arrivals: float, service_s: float) -> float:
    """M/G/1 under processor sharing: R = S / (1 - r) (s), whatever the distribution of S. Harchol-Balter, chapter 22.

    A CPU that slices its time between all who are ready comes close to it.
    """
    return mm1(arrivals, service_s).response_s


def _queue(arrivals: float, service_s: float, servers: int, variability: float) -> Queue:
    not_negative(arrivals=arrivals)
    positive(service_s=service_s)
    load = arrivals * service_s
    waits = erlang_c(load, servers)
    wait_s = variability * waits * service_s / (servers - load)
    response_s = wait_s + service_s
    return Queue(load / servers, waits, wait_s, response_s, arrivals * wait_s, arrivals * response_s)


def _check_carried(load: float, servers: float) -> None:
    if load >= servers:
        raise Overloaded(f"{load:g} servers are needed and there are {servers:g}: the queue would grow for ever")
