"""What the system under test runs in: what the laboratory does to its parts, and sees of them, past `souk` and HTTP.

`loadtests.lab.processes` is a place of processes on this machine; whoever runs it elsewhere brings another one.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import requests

    from loadtests.lab.monitor import Row

Instance = Mapping[str, Any]  # a row of `souk status --json`


class Watcher(Protocol):
    """Who uses the processor, from `__enter__` to `__exit__`; then `rows` is all of it."""

    rows: "list[Row]"

    def __enter__(self) -> "Watcher": ...

    def __exit__(self, *_error: object) -> None: ...


class Place(Protocol):
    """One place for one system. home: a folder of our own, which is removed with it.

    environment: with which `souk` finds the system. url, registry: how it is reached from here. keys: the file that
    signs service tokens, once it is up. wipe: the command of `souk` that leaves nothing of it. ends_what_hangs: whether
    somebody replaces a replica that stands still. keeps_ids: whether one that was killed comes back under its old id.
    dead_refuse: whether a connection to one that is dead is refused at once, as by a kernel whose process has died.
    lacks: of what an experiment may need, what it has not, and why.
    """

    home: Path
    environment: Mapping[str, str]
    url: str
    registry: str
    wipe: tuple[str, ...]
    ends_what_hangs: bool
    keeps_ids: bool
    dead_refuse: bool
    lacks: Mapping[str, str]

    @property
    def keys(self) -> Path: ...

    def started_with(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        """The environment in which `souk up` starts a system that has these settings."""

    def about(self) -> dict[str, Any]:
        """What environment.json says of it, beside the machine; asked while it is up."""

    # ---- what is done to it

    def kill(self, row: Instance) -> None:
        """SIGKILL, now, to all that one instance is; it comes back as it does after a crash."""

    def standing_still(self, row: Instance) -> AbstractContextManager[None]:
        """No process of the instance is given any time in the block; the kernel goes on accepting for it."""

    def cut(self, service: str, other: str) -> AbstractContextManager[object]:
        """In the block no replica of a service can reach the other one; for a place that does not lack it."""

    def power_cut(self, rows: list[dict[str, Any]]) -> None:
        """Everything is killed, whoever would start it again first."""

    # ---- what is seen of it

    def ask(self, method: str, url: str, **options: Any) -> "requests.Response":
        """A request to any instance's address. Raises requests.RequestException."""

    def left_out(self, address: str) -> Callable[[], bool | float]:
        """Whether nginx, by its configuration, sends nothing to this address; or since when (seconds of the epoch)."""

    def gateway_conf(self) -> str:
        """The configuration with which nginx runs. Raises OSError while it cannot be read."""

    def reloads(self) -> int:
        """How often nginx has been given a new one."""

    def access_log(self, start: int = 0) -> bytes:
        """What nginx has logged of requests, from this byte on."""

    def log_from_now(self, service: str) -> Callable[[], list[bytes]]:
        """Gives all lines that a service's instances have logged since."""

    def monitor(self, others: Mapping[str, int]) -> Watcher:
        """Watches the system's parts, the host, and `others` (name -> pid)."""
