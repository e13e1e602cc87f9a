"""How an instance makes itself known: register, renew while it can serve, again when forgotten, leave."""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

log = logging.getLogger(__name__)

RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Registration:
    """What the registry is told. `id` is unique and the same after a restart on the same port.

    ttl_s: without a renewal for so long the instance counts as critical. deregister_after_s: critical for so
    long, and the registry forgets it (Consul allows no less than a minute).
    """

    id: str
    name: str
    address: str
    port: int
    tags: Sequence[str] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    ttl_s: float = 3.0
    deregister_after_s: float = 60.0
    weight: int = 1


class Registry(Protocol):
    """What a Registrar needs, and `chassis.discovery` has. All raise OSError when the registry is away."""

    def register(self, registration: Registration) -> None: ...

    def renew(self, id: str) -> bool: ...

    def deregister(self, id: str) -> None: ...


class Registrar:
    """Keeps one instance registered from a thread of its own.

    can_serve: asked before each renewal. While it is False nothing is renewed, so the TTL takes the instance
    out of service: a process that lives but cannot serve must not look healthy.
    """

    def __init__(
        self, registry: Registry, registration: Registration, renewal_s: float, can_serve: Callable[[], bool]
    ) -> None:
        self._registry, self._registration = registry, registration
        self._renewal_s, self._can_serve = renewal_s, can_serve
        self._known = False
        self._failing = False
        self._left = False
        self._turn = threading.Lock()  # between a renewal under way and leaving
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"registrar-{registration.id}", daemon=True)

    def start(self) -> None:
        """Register now and renew from now on; returns at once, also when the registry is away."""
        self._thread.start()

    def leave(self) -> None:
        """Deregister; never registers again. If the registry is away, the TTL takes the instance out."""
        self._stopping.set()
        with self._turn:
            if self._left:
                return
            self._left = True
            try:
                self._registry.deregister(self._registration.id)
            except OSError as error:
                log.warning("could not deregister %s: %s", self._registration.id, error)

    def stop(self) -> None:
        """Leave, if that was not done yet, and end the thread."""
        self.leave()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = self._renewal_s
            try:
                with self._turn:
                    if not self._left and self._can_serve():
                        self._renew()
            except OSError as error:
                # Everybody who lost the registry tries again; jitter keeps them from coming all at once.
                pause = random.uniform(RETRY_S / 2, RETRY_S)
                self._known = False
                if not self._failing:
                    log.warning("%s is not renewed: %s", self._registration.id, error)
                self._failing = True
            except Exception:
                # Whatever went wrong in `can_serve`, the next renewal is due: without this thread the
                # instance would be lost for good.
                log.exception("%s could not be renewed", self._registration.id)

    def _renew(self) -> None:
        if self._known and self._registry.renew(self._registration.id):
            return
        self._registry.register(self._registration)
        # A check that the registry still has keeps its status over a registration, so a restart on the same
        # port would stay critical until the next renewal.
        self._known = self._registry.renew(self._registration.id)
        if self._known and self._failing:
            log.warning("%s is registered again", self._registration.id)
            self._failing = False
