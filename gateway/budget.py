"""Tries may add a fifth to the load of a service, not more: then they are withdrawn for a while. Pure.

A short try is for an instance that hangs: one of several, and soon left out (outliers.py). When all instances are slow
because they have too much to do, most tries run out, each request reaches two or three of them, and the load doubles
just when it is too much. So the share of tries that ran out is watched, and where it is large, a request gets one
instance for its whole time. The rule is that of retry budgets (SRE book, chapter 21, "Handling Overload"; Envoy's
`retry_budget`, whose default is a fifth, too). All times are seconds on a monotonic clock that the caller reads.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

SHARE = 0.2
FEWEST = 20  # tries that ran out: at a low rate, a single instance that hangs is a large share
WINDOW_S = 5.0
WITHDRAWN_S = 30.0


@dataclass
class _Account:
    """One service. requests: (when it ended, how many of its tries ran out)."""

    requests: deque[tuple[float, int]] = field(default_factory=deque)
    ran_out: int = 0
    until: float = float("-inf")

    def add(self, now: float, ran_out: int) -> None:
        self.requests.append((now, ran_out))
        self.ran_out += ran_out
        while self.requests[0][0] < now - WINDOW_S:
            self.ran_out -= self.requests.popleft()[1]


class TryBudget:
    """Per service, from its first request on. share: of its tries, how many may run out; 0: any number."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)

    def note(self, service: str, ran_out: int, now: float) -> None:
        """A request has ended, of whose tries so many ran out."""
        account = self._accounts[service]
        account.add(now, ran_out)
        if self._share and account.ran_out >= FEWEST and account.ran_out > self._share * len(account.requests):
            account.until = now + WITHDRAWN_S

    def withdrawn(self, now: float) -> frozenset[str]:
        """The services whose requests are not tried now."""
        return frozenset(service for service, account in self._accounts.items() if account.until > now)
