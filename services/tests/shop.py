"""The whole shop in one process: every real application, each on a database of its own.

Catalog and bank are served on free ports, since others ask them while somebody waits. Events are carried by
`services.tests.postman`.
"""

import importlib
import threading
import tomllib
import uuid
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from chassis.testing import as_operator, as_service, as_user, make_test_app
from loadtests.audit import Books

SERVICES = Path(__file__).parents[1]
FLEET = {entry["name"]: entry for entry in tomllib.loads((SERVICES / "fleet.toml").read_text())["service"]}
ASKED = ("bank", "catalog")
APPS = [*ASKED, *(name for name in FLEET if name not in ("registry", "gateway", *ASKED))]
ROUTES = {
    type_: [name for name in FLEET if type_ in FLEET[name].get("consumes", ())]
    for entry in FLEET.values()
    for type_ in entry.get("consumes", ())
}
SPECIAL_SETTINGS = {
    "accounts": {"argon2_memory_kib": 64, "argon2_passes": 1},  # a cheap hash is as good for a test
    "payments": {"bank_timeout_ms": 200},
}
GOOD, DECLINED, LATE = "4242424242424242", "4000000000000002", "4000000000000259"


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class Shop:
    def __init__(self, folder):
        self.folder, self.servers, self.neighbours, self.apps = folder, [], {}, {}
        for name in APPS:
            self.apps[name] = self.app(name)
            if name in ASKED:
                self.serve(name)
        self.clients = {name: app.test_client() for name, app in self.apps.items()}

    def app(self, name, **settings):
        """The application; called again for the same name it is another replica on the same database."""
        keys = self.folder / name / "keys"
        keys.mkdir(parents=True, exist_ok=True)
        (keys / "storefront.key").write_text("a-key-for-cookies-that-is-at-least-32-bytes-long")
        settings = {"event_routes": ROUTES, "rate_limit_per_s": 0} | SPECIAL_SETTINGS.get(name, {}) | settings
        create_app = importlib.import_module(f"{name}.app").create_app
        settings_class = importlib.import_module(f"{name}.settings").Settings
        return make_test_app(create_app, settings_class, self.folder / name, self.neighbours, **settings)

    def serve(self, name):
        server = make_server("127.0.0.1", 0, self.apps[name], threaded=True, request_handler=Quiet)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.neighbours[name] = f"127.0.0.1:{server.port}"
        self.servers.append(server)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        for app in self.apps.values():
            app.extensions["souk.calls"].stop()

    def database(self, name):
        return self.apps[name].extensions["souk.database"]

    def emitters(self):
        return [name for name, app in self.apps.items() if "outbox" in app.blueprints]

    # --- what people do

    def call(self, method, path, body=None, headers=None):
        """A request to the service that the path belongs to, as the gateway would route it."""
        service = path.split("/")[2].partition("?")[0]
        return self.clients[service].open(path, method=method, json=body, headers=headers)

    def offer(self, sku, price_cents=100, on_hand=1000):
        """Put a product with stock on sale."""
        product = {"name": "A brass lamp", "category": "Lamps", "price_cents": price_cents}
        self.call("PUT", f"/api/catalog/products/{sku}", product, as_operator())
        counted = self.call("PUT", f"/api/inventory/stock/{sku}", {"on_hand": on_hand}, as_operator())
        assert counted.json["on_hand"] == on_hand, counted.json

    def order(self, *lines, card=GOOD, customer="ada", client=None):
        """Place an order of (sku, quantity) pairs. Returns its id."""
        body = {"lines": [{"sku": sku, "quantity": count} for sku, count in lines], "payment": {"card": card}}
        headers = as_user(customer) | {"Idempotency-Key": str(uuid.uuid4())}
        answer = (client or self.clients["orders"]).post("/api/orders", json=body, headers=headers)
        assert answer.status_code == 202, answer.json
        return answer.json["id"]

    def cancel(self, order_id, customer="ada"):
        return self.call("POST", f"/api/orders/{order_id}/cancellation", headers=as_user(customer))

    def order_seen(self, order_id, customer="ada"):
        return self.call("GET", f"/api/orders/{order_id}", headers=as_user(customer)).json

    def payment_seen(self, order_id, customer="ada"):
        return self.call("GET", f"/api/payments/{order_id}", headers=as_user(customer)).json

    def bank(self, **behaviour):
        assert self.clients["bank"].put("/settings", json=behaviour).status_code == 200

    # --- what the audit reads

    def items(self, service, path, headers=None, **query):
        """All items of a list, page by page."""
        found, query = [], {"limit": 1000} | query
        while True:
            page = self.clients[service].get(path, query_string=query, headers=headers or as_operator()).json
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    def books(self):
        orders = self.items("orders", "/api/orders", scope="all")
        undelivered = [
            {**event, "service": name}
            for name in self.emitters()
            for event in self.items(name, "/internal/events", as_service(name))
        ]
        return Books(
            orders={order["id"]: order for order in orders},
            payments={item["order_id"]: item for item in self.items("payments", "/api/payments")},
            reservations={r["order_id"]: r for r in self.items("inventory", "/api/inventory/reservations")},
            stock=self.items("inventory", "/api/inventory/stock"),
            movements=self.items("inventory", "/api/inventory/movements"),
            charges=self.items("bank", "/charges"),
            events=undelivered,
        )
