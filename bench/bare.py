"""`python -m bench.bare`: the smallest Flask application there is, under the same gunicorn as our services.

What it costs to answer is the unit in which `bench.cost` counts. Prints its address once it serves.
"""

from typing import Any, ClassVar

from flask import Flask, Response, jsonify

from chassis.serve import Server
from chassis.settings import ChassisSettings


class Settings(ChassisSettings):
    service: ClassVar[str] = "bare"


class Bare(Server):
    """The server of `chassis.serve`, set up in the same way; of the chassis itself the application has nothing."""

    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("post_worker_init", _say_address)
        self.cfg.set("worker_exit", lambda _server, _worker: None)

    def load(self) -> Flask:
        app = Flask("bare")

        @app.get("/")
        def bare() -> Response:
            return jsonify({"id": "bare", "lines": [{"sku": "SOUK-000001", "quantity": 2}]})

        return app


def _say_address(worker: Any) -> None:
    host, port = worker.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)


if __name__ == "__main__":
    Bare("", Settings()).run()
