"""What discovery does where there is no registry: somebody else knows who is there, and there are no live settings."""

from collections.abc import Callable

from chassis.registration import Registration


class Unregistered:
    """Half of a `Discovery`, for those that only look."""

    def watch_kv(self, prefix: str, on_change: Callable[[dict[str, str]], None]) -> None:  # noqa: ARG002
        on_change({})  # the defaults stay

    def register(self, registration: Registration) -> None:
        """Nothing to do: whoever is asked knows the instance by itself."""

    def renew(self, id: str) -> bool:  # noqa: ARG002
        return True

    def deregister(self, id: str) -> None:
        """Nothing to do, as with `register`."""
