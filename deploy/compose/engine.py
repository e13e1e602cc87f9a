"""The Docker engine, as far as a command needs it: what it refuses is one clear line."""

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound
from requests import RequestException

from deploy.local.errors import Refused

OLDEST = (20, 10)
TIMEOUT_S = 60
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"


class Engine:
    """One connection to the engine. Every method raises Refused for whatever the engine says no to."""

    def __init__(self) -> None:
        with said():
            self.host = os.environ.get("DOCKER_HOST") or _context_host()
            try:
                _require_socket(self.host)
                client = docker.DockerClient(base_url=self.host, version="auto", timeout=TIMEOUT_S, tls=_tls())
                found = client.version()
            except (DockerException, RequestException, OSError) as error:
                raise Refused(
                    f"no Docker engine answers at {self.host} ({_reason(error)}): start it, or set DOCKER_HOST"
                ) from None
        # With Docker Desktop it runs in a machine of its own.
        self.is_on_this_host = (
            self.host.startswith("unix://") and sys.platform == "linux" and "desktop" not in self.host.lower()
        )
        self.version = str(found["Version"])
        if _number(self.version) < OLDEST:
            raise Refused(f"the Docker engine is {self.version}, and too old: 20.10 or newer is needed")
        self.api = client.api

    # ---- looking

    def containers(self, project: str) -> list[dict[str, Any]]:
        """All containers of a project, running or not, as `docker inspect` has them; none of `docker compose run`."""
        labels = [f"{PROJECT}={project}", f"{ONE_OFF}=False"]
        found = []
        with said():
            for row in self.api.containers(all=True, filters={"label": labels}):
                try:
                    found.append(self.api.inspect_container(row["Id"]))
                except NotFound:
                    continue  # it has left meanwhile
        return found

    def running(self, project: str) -> list[tuple[str, str]]:
        """(id, service) of each container of a project that runs; less to ask than `containers`."""
        with said():
            rows = self.api.containers(filters={"label": f"{PROJECT}={project}"})
        return [(row["Id"], row["Labels"][SERVICE]) for row in rows]

    def inspect(self, container: str) -> dict[str, Any]:
        with said():
            return self.api.inspect_container(container)

    def usage(self, container: str) -> dict[str, Any]:
        """Processor and memory of a container, as of now; empty for one that does not run (any more)."""
        try:
            with said():
                return self.api.stats(container, stream=False, one_shot=True)
        except Refused:
            return {}

    def processor_times(self, container: str) -> Iterator[float]:
        """The seconds of processor time that a container has used, again and again while it runs."""
        with said():
            for told in self.api.stats(container, stream=True, decode=True):
                if total := told["cpu_stats"]["cpu_usage"]["total_usage"]:
                    yield total / 1e9

    def read(self, container: str, path: str) -> bytes:
        """A file in a container, running or not; in its image or in a volume, not in its memory."""
        with said():
            stream, _ = self.api.get_archive(container, path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
                file = archive.extractfile(archive.getmembers()[0])
                assert file is not None, f"{path} is no file"
                return file.read()

    def log(self, container: str, **options: Any) -> Iterator[bytes]:
        """What it has written to stdout and stderr; each piece begins with the time."""
        with said():
            yield from self.api.logs(container, stream=True, timestamps=True, **options)

    # ---- changing

    def do(self, verb: str, container: str, *words: Any, **options: Any) -> None:
        """One of the engine's verbs: kill, start, pause, unpause, stop, restart, remove_container."""
        with said():
            getattr(self.api, verb)(container, *words, **options)

    def connect(self, container: str, network: str, aliases: list[str]) -> None:
        with said():
            self.api.connect_container_to_network(container, network, aliases=aliases)

    def disconnect(self, container: str, network: str) -> None:
        with said():
            self.api.disconnect_container_from_network(container, network)


@contextmanager
def said() -> Iterator[None]:
    """What the engine refuses, or that it does not answer, as one line."""
    try:
        yield
    except APIError as error:
        raise Refused(f"the Docker engine refused: {error.explanation or error}") from None
    except (DockerException, RequestException, OSError) as error:
        raise Refused(f"the Docker engine does not answer: {_reason(error)}") from None


def _context_host() -> str:
    """Where `docker` itself would look: the current context."""
    try:
        context = ContextAPI.get_current_context()
    except (DockerException, ValueError, KeyError, OSError):
        context = None
    return (context.Host if context else None) or "unix:///var/run/docker.sock"


def _require_socket(host: str) -> None:
    """Raises FileNotFoundError where there is none; the SDK would open one and leave it."""
    if host.startswith("unix://"):
        Path(host.removeprefix("unix://")).stat()


def _tls() -> Any:
    """What DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for."""
    return docker.utils.kwargs_from_env().get("tls", False)


def _number(version: str) -> tuple[int, int]:
    try:
        major, minor = version.split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return OLDEST  # a development build


def _reason(error: BaseException) -> str:
    text = str(error)
    for known in ("Permission denied", "Connection refused", "No such file or directory", "timed out"):
        if known in text:
            return known.lower()
    return text.splitlines()[0][:150] if text else type(error).__name__
