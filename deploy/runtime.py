"""What a command of `souk` needs of a system, and the two things that a system can be: processes, or containers.

A command finds its system here and asks it these few things. So none has to know what runs underneath.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import requests

    from deploy.local.fleet import Fleet
    from deploy.local.logs import Line

Said = Callable[[str], None]


class Kind(StrEnum):
    """What the parts of a system run in."""

    LOCAL = "local"
    COMPOSE = "compose"


class Runtime(Protocol):
    """One system, running or not. Whatever cannot be done raises Refused with one line that says what to do."""

    @property
    def fleet(self) -> "Fleet":
        """Every service that a command may name."""

    @property
    def gateway_url(self) -> str:
        """Where the shop is, for whoever sits at this machine."""

    @property
    def registry_url(self) -> str:
        """Where the registry is, for `http`."""

    @property
    def service_keys(self) -> Path:
        """The file with the keys that sign service tokens."""

    def passwords(self) -> dict[str, str]:
        """Of the seeded users, by their address."""

    # ---- its life

    def up(self, said: Said) -> None:
        """Start it, and wait until it serves; leaves nothing running where that fails."""

    def stay(self) -> None:
        """In the foreground until it is stopped; Ctrl-C stops it."""

    def down(self) -> str:
        """Stop it gracefully; returns what there was to do."""

    def to_wipe(self) -> str | None:
        """What `wipe` would remove; None where there is nothing."""

    def wipe(self) -> None:
        """Remove all that it has written, once it is down."""

    # ---- looking at it

    def require_running(self) -> None:
        """Raises Refused where there is nothing to command."""

    def silence(self) -> str | None:
        """Why there is nothing to show, in one line; None while there is."""

    def rows(self, memory: bool = True) -> list[dict]:
        """One row for each process or container, in the shape of `souk status --json` with a `name` and a `port`."""

    def http(self) -> "requests.Session":
        """A session that reaches the gateway, the registry and every address in `rows`."""

    def lines(self, service: str | None, following: bool) -> Iterator["Line"]:
        """What the services have logged, by time; or from now on, for ever."""

    def lines_with(self, *words: str) -> list["Line"]:
        """All lines of all services that contain one of the words, by time."""

    # ---- changing it

    def lock(self) -> AbstractContextManager[None]:
        """One changing command at a time."""

    def scale(self, counts: dict[str, int], said: Said) -> None:
        """Bring services to so many replicas; new ones pass before this returns, others leave gracefully."""

    def restart(self, service: str, said: Said) -> None:
        """A new replica for each old one, one after the other; nothing is lost."""

    # ---- breaking it

    def signal(self, row: dict, name: str) -> str:
        """KILL, STOP or CONT to one replica with all that it has started. Returns what was done, as the others do."""

    def away(self, row: dict, seconds: float) -> str:
        """Killed, and not replaced, for so long."""

    def still(self, row: dict, seconds: float) -> str:
        """Stopped for so long, unless it is replaced before."""

    def partition(self, service: str, other: str, seconds: float, said: Said) -> str:
        """Every replica of a service cannot reach the other one, nor be reached by it, for so long."""


def find(kind: Kind) -> Runtime:
    """The system of this shell: that of SOUK_HOME, or compose's project."""
    if kind is Kind.LOCAL:
        from deploy.local.runtime import find_processes

        return find_processes()
    from deploy.compose.runtime import find_project

    return find_project()


def running(kind: Kind) -> Runtime:
    """The running system; raises Refused when there is none."""
    system = find(kind)
    system.require_running()
    return system
