"""A partition: both ends go on running, and no packet goes from one to the other.

Containers reach each other by the networks that both are in; one end is taken out of those. What it holds open to the
other end stays open, and silent, as with a switch that has failed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deploy.compose import status
from deploy.local.errors import Refused
from deploy.runtime import Said

if TYPE_CHECKING:
    from deploy.compose.runtime import Containers

EVERYWHERE = "registry"  # in the network by which all reach each other
Cut = tuple[str, str, list[str]]  # container, network, its names there


def partition(system: "Containers", service: str, other: str, seconds: float, said: Said) -> str:
    """Cut every container of a service from the other one for so long; returns what was done."""
    with cut(system, service, other) as count:
        said(f"{service} is cut from {other}")
        time.sleep(seconds)
    return f"{count} of {service} could not reach {other} for {seconds:g} s"


@contextmanager
def cut(system: "Containers", service: str, other: str) -> Iterator[int]:
    """In the block every container of a service is out of all networks that it shares with the other one.

    It yields their number.
    """
    mine = [one for one in system.containers(service) if one["State"]["Running"]]
    if not mine:
        raise Refused(f"no container of {service} runs: `souk status --runtime compose` lists what does")
    shared = _shared(system, mine, other)
    done: list[Cut] = []
    try:
        for one in mine:
            for network in sorted(shared & _networks(one).keys()):
                system.engine.disconnect(one["Id"], network)
                done.append((one["Id"], network, _aliases(one, network)))
        yield len(mine)
    finally:
        # Also when we are interrupted: nobody else would mend it.
        _mend(system, done)


def _mend(system: "Containers", done: list[Cut]) -> None:
    """Connect each one again, also when one of them cannot be (any more); raises the last refusal."""
    refusal = None
    for container, network, aliases in done:
        try:
            system.engine.connect(container, network, aliases)
        except Refused as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _shared(system: "Containers", mine: list[dict[str, Any]], other: str) -> set[str]:
    """The networks to cut; raises Refused where that would cut more, or nothing."""
    theirs = {network for one in system.containers(other) for network in _networks(one)}
    own = {network for one in mine for network in _networks(one)}
    if not (shared := own & theirs):
        raise Refused(f"{status.service_of(mine[0])} and {other} are in no network together: there is nothing to cut")
    everywhere = {network for one in system.containers(EVERYWHERE) for network in _networks(one)}
    if not (own - shared) & everywhere:
        raise Refused(
            f"{', '.join(sorted(shared))} is the network by which {status.service_of(mine[0])} reaches everybody, not "
            f"{other} alone: only what has a network of its own in docker-compose.yml can be cut off"
        )
    return shared


def _networks(container: dict[str, Any]) -> dict[str, Any]:
    return container["NetworkSettings"]["Networks"] or {}


def _aliases(container: dict[str, Any], network: str) -> list[str]:
    """The names by which others find it there; the engine itself adds the short id."""
    return [name for name in _networks(container)[network]["Aliases"] or [] if name != container["Id"][:12]]
