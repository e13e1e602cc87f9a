"""What is checked before anything starts, so that a start fails early and says why in one line."""

import errno
import importlib.util
import os
import shutil
import socket

from deploy.local.errors import Refused
from deploy.local.fleet import SYSTEM_FOLDERS, Fleet
from deploy.local.settings import Settings

PACKAGES = ("circus", "flask", "gunicorn", "jwt", "pydantic", "requests", "sqlalchemy", "zmq")


def check(settings: Settings, fleet: Fleet) -> None:
    """Raises Refused with what is in the way."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused(f"python packages are missing ({', '.join(missing)}): run `sh deploy/setup.sh`")
    if "gateway" in fleet.services:
        path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
        if shutil.which(os.environ.get("NGINX_BIN") or "nginx", path=path) is None:
            raise Refused("nginx is missing: run `sh deploy/setup.sh`, or install it yourself")
        _check_port(settings.gateway_port, "GATEWAY_PORT")
    if "registry" in fleet.services:
        _check_port(settings.registry_port, "REGISTRY_PORT")


def _check_port(port: int, setting: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of an earlier run may linger; they are no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = f"is taken{_by_whom(port)}" if taken else f"cannot be used ({error.strerror})"
            raise Refused(f"port {port} {why}: set {setting} to a free one") from None


def _by_whom(port: int) -> str:
    """Who holds the port, as far as this user may know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
