"""The factory that `souk dev` gives to `flask run`: one service, named on the command line as for `python -m`."""

import logging
import os
from importlib import import_module

from flask import Flask


def create_app(service: str) -> Flask:
    """The service with its settings from the environment and with what runs beside its requests."""
    settings = import_module(f"{service}.settings").Settings.load()
    app = import_module(f"{service}.app").create_app(settings)
    app.extensions["souk.instance"] = f"{service}-127.0.0.1-{os.environ['PORT']}"
    # `souk dev` itself asks this once a second.
    logging.getLogger("werkzeug").addFilter(lambda record: "GET /readyz " not in record.getMessage())
    if os.environ.get("WERKZEUG_RUN_MAIN") == "true":
        # Only in the process that serves, not in the one that watches the files.
        for background in app.extensions.get("souk.background", []):
            background.start()
    return app
