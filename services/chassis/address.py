"""The address by which the others reach this instance, for one that listens on all of its addresses.

A container often has several: one for each network that it is in. The right one is that of the network in which the
others are, and so the one from which this machine would speak to them.
"""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from chassis.settings import ChassisSettings

WILDCARDS = ("0.0.0.0", "::")  # nosec B104 # to compare with


def reachable(settings: ChassisSettings, bound: str) -> str:
    """`bound`, if that is an address of its own; else the one from which the registry is reached.

    Where its name is not known, as that of a container that is away, the database's server shows the way, and in the
    end this machine's own name.
    """
    if bound not in WILDCARDS:
        return bound
    for host in _neighbours(settings):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((host, 9))  # sends nothing: it only asks for the way
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"


def _neighbours(settings: ChassisSettings) -> Iterator[str]:
    for url in (settings.discovery_url, settings.database_url):
        if host := urlsplit(url).hostname:
            yield host
    yield socket.gethostname()
