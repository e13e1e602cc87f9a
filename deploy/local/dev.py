"""`souk dev`: one service under Flask's reloader and debugger, in the place of its replicas."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from deploy.local import scaling
from deploy.local.client import System
from deploy.local.errors import Misused, Refused
from deploy.local.fleet import environment
from deploy.local.health import answers
from deploy.local.processes import wait_until
from deploy.local.show import Sayer

NOT_FLASK = ("registry", "gateway")
RENEWAL_S = 1.0
_say = Sayer("souk: ")


def develop(system: System, service: str) -> None:
    """Until Ctrl-C. The replicas leave when the debugged one serves, and come back at the end."""
    if service in NOT_FLASK:
        raise Misused(f"{service} cannot be run under Flask's debugger")
    system.fleet.get(service)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    process = _start(system, service, port)
    count = 0
    try:
        if not wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz") == 200, 60, 0.2):
            raise Refused(f"{service} is not ready after 60 s: see what it says above")
        if process.poll() is not None:
            raise Refused(f"{service} does not start: see what it says above")
        with _registered(system, service, port):
            with system.home.lock():
                replicas = [replica["name"] for replica in scaling.of_service(system, service)]
                count = len(replicas)
                scaling.retire(system, replicas, _say)
            _say(f"{service} runs at {url}; it reloads when its files change. Ctrl-C brings its replicas back.")
            process.wait()
    except KeyboardInterrupt:
        _say("stopping")
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        process.kill()
        _bring_back(system, service, count)


def _start(system: System, service: str, port: int) -> subprocess.Popen:
    env = {**environment(system.settings, system.fleet, service=system.fleet.get(service)), "PORT": str(port)}
    factory = f"deploy.local.debug_server:create_app('{service}')"
    command = [sys.executable, "-P", "-m", "flask", "--app", factory, "run", "--debug", "--port", str(port)]
    return subprocess.Popen(command, env=env)


def _bring_back(system: System, service: str, count: int) -> None:
    if not count:
        return
    with system.home.lock(wait_s=system.settings.start_timeout_s):
        missing = count - len(scaling.of_service(system, service))
        names = [scaling.begin(system, service) for _ in range(missing)]
        scaling.wait_passing(system, names, _say)
    _say(f"{service} runs under the supervisor again")


@contextmanager
def _registered(system: System, service: str, port: int) -> Iterator[None]:
    """Vouch for the debugged process while it is ready; its own reloads are too short to matter."""
    from chassis.discovery import make_discovery
    from chassis.registration import Registrar, Registration

    registrar = Registrar(
        make_discovery(system.settings.discovery_url),
        Registration(f"{service}-127.0.0.1-{port}", service, "127.0.0.1", port),
        RENEWAL_S,
        lambda: answers(f"http://127.0.0.1:{port}/readyz") == 200,
    )
    registrar.start()
    try:
        yield
    finally:
        registrar.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
