"""A shop that answers by script, over HTTP, for the tests of those who load it."""

import json
import threading
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

PRODUCTS = [{"sku": f"SOUK-{number:06}", "name": "A lamp", "price_cents": 100} for number in range(1, 6)]


class FakeShop:
    """broken: steps ("POST /api/orders") that answer 503. end: the state in which orders end up."""

    def __init__(self, broken=(), end="CONFIRMED"):
        self.broken, self.end = set(broken), end
        self.requests = []

    def answer(self, method, path, body=None):
        """(status, body, headers) for a request; every request is kept in `requests`."""
        self.requests.append((method, path, body))
        step = f"{method} {path.partition('?')[0]}"
        if step in self.broken:
            return 503, {"title": "Service unavailable"}, {"Retry-After": "1"}
        match step.split("/"):
            case ["POST ", "api", "accounts", "tokens"]:
                return 200, {"access_token": "token"}, {}
            case ["POST ", "api", "accounts", "users"]:
                return 201, {}, {}
            case ["POST ", "api", "orders"]:
                return 202, {}, {"Location": "/api/orders/17"}
            case ["GET ", "api", "orders", _]:
                return 200, {"state": self.end}, {}
            case ["GET ", "api", "catalog", "products"]:
                return 200, {"items": PRODUCTS, "next": None}, {}
            case ["GET ", "api", "carts", "mine"]:
                return 200, {"items": [{"sku": PRODUCTS[0]["sku"], "quantity": 2}]}, {}
        return 200, {}, {}

    @contextmanager
    def served(self):
        """The shop's address, while it is open."""
        server = make_server("127.0.0.1", 0, self._wsgi, threaded=True, request_handler=_Quiet)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()
        server.server_close()

    @Request.application
    def _wsgi(self, request):
        status, body, headers = self.answer(
            request.method, request.full_path.rstrip("?"), request.get_json(silent=True)
        )
        return Response(json.dumps(body), status, headers, content_type="application/json")


class _Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass
