"""What the command line may ask of the supervisor: commands for circus' controller, beside its own."""

import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from circus.commands.base import Command
from circus.exc import MessageError

if TYPE_CHECKING:
    from deploy.local.supervisor import Supervisor


class Replicas(Command):
    """All replicas, those that are leaving included"""

    name = "replicas"

    def execute(self, arbiter: "Supervisor", props: dict) -> dict:  # noqa: ARG002
        return {"replicas": [replica.describe() for replica in [*arbiter.watchers, *arbiter.leaving]]}


class Begin(Command):
    """Start one more replica of a service"""

    name = "begin"
    properties = ["service"]

    def execute(self, arbiter: "Supervisor", props: dict) -> dict:
        if arbiter._stopping:
            raise MessageError("everything is being stopped")
        return {"name": arbiter.begin(arbiter.fleet.get(props["service"])).name}


class Retire(Command):
    """Stop one replica gracefully and forget it"""

    name = "retire"
    properties = ["name"]

    def execute(self, arbiter: "Supervisor", props: dict) -> Awaitable:
        replica = arbiter._watchers_names.get(props["name"])
        if replica is None:
            raise MessageError(f"there is no replica {props['name']}")
        return arbiter.retire(replica)


class Hold(Command):
    """Do not start a replica's next process before so many seconds are over"""

    name = "hold"
    properties = ["name", "seconds"]

    def execute(self, arbiter: "Supervisor", props: dict) -> dict:
        replica = arbiter._watchers_names.get(props["name"])
        if replica is None:
            raise MessageError(f"there is no replica {props['name']}")
        replica.hold_until = time.monotonic() + float(props["seconds"])
        return {}
