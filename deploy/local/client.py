"""How the command line reaches a running system: its settings, its supervisor, its HTTP interfaces."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psutil

from deploy.local import leftovers
from deploy.local.errors import Refused
from deploy.local.fleet import Fleet, load_fleet
from deploy.local.home import SOCKET, Home
from deploy.local.processes import alive
from deploy.local.settings import Settings, load

if TYPE_CHECKING:
    import requests

HTTP_TIMEOUT_S = 5
ANSWER_S = 10  # the supervisor may be busy with starting a dozen processes


class Unreachable(Refused):
    """Nobody answers at an address."""


class Silent(Refused):
    """The supervisor runs, and has not answered in time."""


class NotFound(Refused):
    """Somebody answers, but knows nothing of what was asked for."""


@dataclass
class System:
    """One system: running or not."""

    settings: Settings
    supervisor_pid: int | None

    @cached_property
    def home(self) -> Home:
        return Home(self.settings.home)

    @cached_property
    def fleet(self) -> Fleet:
        return load_fleet(self.settings)

    @property
    def controllable(self) -> bool:
        """Whether the supervisor runs and has come so far that it listens."""
        return self.supervisor_pid is not None and (self.home.sockets / SOCKET).exists()

    def call(self, command: str, timeout_s: float = ANSWER_S, **properties: str) -> dict:
        """One command to the supervisor; raises Refused when it does not answer or refuses."""
        import zmq

        if not self.controllable:
            raise Refused(f"the supervisor (pid {self.supervisor_pid}) is not ready yet: try again")
        # What circus' own client says (circus.readthedocs.io, "Library"), without all that it imports for it.
        context: zmq.Context = zmq.Context.instance()
        with context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(f"ipc://{self.home.sockets / SOCKET}")
            socket.send_json({"id": uuid.uuid4().hex, "command": command, "properties": properties})
            if not socket.poll(timeout_s * 1000):
                who = f"the supervisor (pid {self.supervisor_pid})"
                raise Silent(f"{who} does not answer: `souk down` ends everything")
            answer = socket.recv_json()
        if answer["status"] != "ok":
            raise Refused(f"the supervisor refused {command!r}: {answer.get('reason')}")
        return answer

    def replicas(self) -> list[dict]:
        """What the supervisor says about each replica."""
        return self.call("replicas")["replicas"]


def find_system(environ: Mapping[str, str] = os.environ) -> System:
    """The system of SOUK_HOME. What runs was started with settings of its own: these are used then."""
    settings = load(environ)
    noted = _noted(Home(settings.home))
    if noted is None:
        return System(settings, None)
    return System(load({**environ, **noted["settings"]}), noted["pid"])


def running_system() -> System:
    """The running system; raises Refused when there is none."""
    system = find_system()
    if system.supervisor_pid is None:
        raise not_running(system)
    return system


def not_running(system: System) -> Refused:
    """What to say where there is nothing to command."""
    return Refused(f"Souk does not run in {system.settings.home}: start it with `souk up --detach`")


def note_system(settings: Settings, pid: int) -> None:
    """Leave word of the supervisor that has been started."""
    noted = {"pid": pid, "settings": settings.as_environment()}
    file = Home(settings.home).system_file
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps(noted, indent=2) + "\n")
    aside.replace(file)


def _noted(home: Home) -> dict | None:
    try:
        noted = json.loads(home.system_file.read_text())
        # The number alone may be somebody else's by now, and times of birth move when the clock is set.
        same = leftovers.is_ours(psutil.Process(noted["pid"]), home.path)
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return noted if same and alive(noted["pid"]) else None


def http() -> "requests.Session":
    """A requests session that goes straight to this machine, whatever proxy the user has set."""
    import requests

    session = requests.Session()
    session.trust_env = False
    return session


def ask(session: "requests.Session", method: str, url: str, what: str, **options: Any) -> "requests.Response":
    """One HTTP call that has to succeed; raises Refused, naming `what`, with the other side's reason."""
    import requests

    options.setdefault("timeout", HTTP_TIMEOUT_S)
    try:
        with session:
            answer = session.request(method, url, **options)
    except requests.RequestException as error:
        raise Unreachable(f"{what} cannot be reached at {url}: {type(error).__name__}") from None
    if answer.status_code >= 400:
        refusal = NotFound if answer.status_code == 404 else Refused
        raise refusal(f"{what} answered {answer.status_code}: {_reason(answer)}")
    return answer


def _reason(answer: "requests.Response") -> str:
    try:
        problem = answer.json()
        reason = problem.get("detail") or problem.get("title") or answer.text[:200]
        errors = problem.get("errors")
    except (ValueError, AttributeError):
        return answer.text[:200].strip() or answer.reason
    return f"{reason}: {json.dumps(errors)}" if errors else reason
