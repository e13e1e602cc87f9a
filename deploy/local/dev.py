"""`souk dev`: one service under Flask's reloader and debugger, in the place of its replicas."""

import socket
import subprocess
import sys
import threading
from contextlib import suppress

from deploy.local import scaling
from deploy.local.client import System
from deploy.local.errors import Misused, Refused
from deploy.local.fleet import environment
from deploy.local.health import answers
from deploy.local.processes import wait_until

NOT_FLASK = ("registry", "gateway")


def develop(system: System, service: str) -> None:
    """Until Ctrl-C. The replicas leave when the debugged one serves, and come back at the end."""
    if service in NOT_FLASK:
        raise Misused(f"{service} cannot be run under Flask's debugger")
    system.fleet.get(service)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    process = _start(system, service, port)
    stopping = threading.Event()
    count = 0
    try:
        if not wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz") == 200, 60, 0.2):
            raise Refused(f"{service} is not ready after 60 s: see what it says above")
        if process.poll() is not None:
            raise Refused(f"{service} does not start: see what it says above")
        threading.Thread(target=_keep_registered, args=(system, service, port, stopping), daemon=True).start()
        with system.home.lock():
            replicas = [replica["name"] for replica in scaling.of_service(system, service)]
            count = len(replicas)
            scaling.retire(system, replicas, _say)
        _say(f"{service} runs at {url}; it reloads when its files change. Ctrl-C brings its replicas back.")
        process.wait()
    except KeyboardInterrupt:
        _say("stopping")
    finally:
        stopping.set()
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


def _keep_registered(system: System, service: str, port: int, stopping: threading.Event) -> None:
    """Vouch for the debugged process while it is ready; its own reloads are too short to matter."""
    from chassis.discovery import Registration, make_discovery

    discovery = make_discovery(system.settings.discovery_url)
    registration = Registration(f"{service}-127.0.0.1-{port}", service, "127.0.0.1", port)
    while not stopping.wait(1):
        with suppress(OSError):
            ready = answers(f"http://127.0.0.1:{port}/readyz") == 200
            if ready and not discovery.renew(registration.id):
                discovery.register(registration)
                discovery.renew(registration.id)
    with suppress(OSError):
        discovery.deregister(registration.id)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _Sayer:
    """Says each thing once, however often it is still true."""

    last = ""

    def __call__(self, text: str) -> None:
        if text != self.last:
            print(f"souk: {text}", file=sys.stderr)
        self.last = text


_say = _Sayer()
