"""A subscriber that says what it thinks of each event, reached by HTTP push or by RabbitMQ."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from flask import Flask
from flask.testing import FlaskClient

from chassis.calls import use_calls
from chassis.errors import BY_STATUS
from chassis.identity import use_identity
from chassis.inbox import Event, use_inbox
from chassis.settings import ChassisSettings
from chassis.testing import Neighbour, as_service, make_test_app
from chassis.web import make_app


class Settings(ChassisSettings):
    service: ClassVar[str] = "ears"


class Ears:
    """`answer` makes of an event's body the status; `heard` are the bodies, whatever was answered."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], int] = lambda _body: 204
        self.neighbour: Neighbour | None = None  # by push
        self.app: Flask | None = None  # by the broker

    def listen_to(self, body: dict[str, Any] | list[dict[str, Any]]) -> int:
        """One event, or a batch: what is behind one that is refused goes unheard."""
        statuses = map(self.listen, body if isinstance(body, list) else [body])
        return next((status for status in statuses if status != 204), 204)

    def listen(self, body: dict[str, Any]) -> int:
        self.heard.append(body)
        return self.answer(body)

    @property
    def neighbours(self) -> dict[str, str]:
        """For the emitter."""
        return {"ears": self.neighbour.address} if self.neighbour else {}

    def dead(self, emitter: Flask) -> list[dict[str, Any]]:
        """The dead events: in the emitter's outbox, or in the queue of their subscriber."""
        client, path, headers = self._tools(emitter)
        items = client.get(f"{path}?state=dead", headers=headers).json["items"]
        return [item for item in items if item["state"] == "dead"]

    def retry(self, emitter: Flask, dead: dict[str, Any]) -> int:
        client, path, headers = self._tools(emitter)
        return client.post(f"{path}/{dead['seq']}/retry", headers=headers).status_code

    def _tools(self, emitter: Flask) -> tuple[FlaskClient, str, dict[str, str]]:
        if self.app:
            return self.app.test_client(), "/internal/queue", as_service("ears", "souk")
        return emitter.test_client(), "/internal/events", as_service("toy", "souk")


@contextmanager
def ears_by(events_url: str, home: Path, **settings: Any) -> Iterator[Ears]:
    ears = Ears()
    if events_url:
        ears.app = make_test_app(ears_app(ears), Settings, home, events_url=events_url, **settings)
        with running(ears.app):
            yield ears
        return
    ears.neighbour = Neighbour()
    ears.neighbour.answers["POST", "/events"] = lambda body: (ears.listen_to(body), {})
    yield ears
    ears.neighbour.close()


def ears_app(ears: Ears) -> Callable[[Settings], Flask]:
    def handle(event: Event) -> None:
        if (status := ears.listen(event.model_dump())) != 204:
            raise BY_STATUS[status]("because")

    def create(settings: Settings) -> Flask:
        app = make_app(settings)
        use_identity(app, settings, use_calls(app, settings))
        use_inbox(app, {"thing.counted": handle})
        return app

    return create


@contextmanager
def running(app: Flask) -> Iterator[Flask]:
    """What runs beside the requests, started and stopped as `serve` does it."""
    background = app.extensions["souk.background"]
    for each in background:
        each.start()
    try:
        yield app
    finally:
        for each in reversed(background):
            each.stop()
