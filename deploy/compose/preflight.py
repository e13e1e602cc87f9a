"""What must be so before anything is started; each thing that is not is one line that says what to do."""

import os
import re
import shutil
import socket
from collections.abc import Mapping

from deploy.compose.commands import Refused, containers, last_line, run

ENGINE = (20, 10)
COMPOSE = (2, 26)
REGISTRIES = {"registry", "consul"}
PORTS = {"GATEWAY_PORT": 8080, "REGISTRY_PORT": 8500}


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Raises Refused."""
    if shutil.which("docker") is None:
        raise Refused("there is no `docker` here: install Docker Engine and its Compose plugin, or use `make up`")
    _check_version(
        "Docker Engine", ENGINE, ("version", "--format", "{{.Server.Version}}"), "start it, or set DOCKER_HOST"
    )
    _check_version("Docker Compose", COMPOSE, ("compose", "version", "--short"), "install the Compose plugin")
    taken = {name: _port(name, default, environ) for name, default in PORTS.items()}
    if len(set(taken.values())) < len(taken):
        raise Refused(f"{' and '.join(PORTS)} are the same: set one of them to another port")
    configured = run("compose", "config", "--services")
    if configured.returncode:
        raise Refused(last_line(configured.stderr))
    if len(REGISTRIES & set(configured.stdout.split())) != 1:
        raise Refused("COMPOSE_PROFILES must be `registry` or `consul`: exactly one of them says who is there")
    ours = _published()
    for name, port in taken.items():
        if port not in ours:
            _check_free(name, port)


def _check_version(what: str, least: tuple[int, int], question: tuple[str, ...], remedy: str) -> None:
    wanted = ".".join(map(str, least))
    asked = run(*question)
    found = re.match(r"v?(\d+)\.(\d+)", asked.stdout.strip())
    if asked.returncode or found is None:
        raise Refused(f"no {what} answers ({last_line(asked.stderr)}): {remedy}; {wanted} or newer is needed")
    if (int(found[1]), int(found[2])) < least:
        raise Refused(f"{what} {asked.stdout.strip()} is too old: {wanted} or newer is needed")


def _port(name: str, default: int, environ: Mapping[str, str]) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise Refused(f"{name}={text!r} is not a port (1 to 65535)")
    return int(text)


def _published() -> set[int]:
    """The ports that containers of this project hold already."""
    return {row["PublishedPort"] for one in containers() for row in one.get("Publishers") or ()}


def _check_free(name: str, port: int) -> None:
    try:
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise Refused(
            f"port {port} of 127.0.0.1 is not to be had ({why}): stop who holds it (`make down`?), or set {name} to "
            "another one"
        ) from None
