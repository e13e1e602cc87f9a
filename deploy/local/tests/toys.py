"""A fleet of toys: tiny stdlib processes that behave like services, so that the runner is tested in seconds.

`make_toys(folder)` writes packages `registry` (the few Consul routes that are needed), `gateway` (a leader
with a child that holds the port and, like nginx, has its name but no environment) and services `apples` and `pears`.
"""

from pathlib import Path

SERVICE = '''
"""Serves on a free port, registers, renews once a second; drains on TERM."""
import http.server, json, os, signal, sys, threading, time, urllib.request

NAME = os.environ["SOUK_SERVICE"]
BASE = os.environ["DISCOVERY_URL"].replace("consul", "http")
leaving = threading.Event()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"pid": os.getpid(), "env": dict(os.environ)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        print(json.dumps({"level": "info", "event": words[0] % words[1:], "service": NAME}))

def put(path, body=b""):
    request = urllib.request.Request(BASE + path, data=body, method="PUT")
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=1).close()
        return True
    except OSError:
        return False

def keep_registered(port):
    me = f"{NAME}-127.0.0.1-{port}"
    body = json.dumps({"ID": me, "Name": NAME, "Address": "127.0.0.1", "Port": port,
                       "Check": {"TTL": "3s", "Status": "passing"}}).encode()
    while not leaving.is_set():
        put("/v1/agent/service/register", body)
        leaving.wait(0.3)
    put("/v1/agent/service/deregister/" + me)

def main():
    if os.environ.get("CRASH"):
        print("no such colour: mauve")
        sys.exit(3)
    time.sleep(float(os.environ.get("DELAY_S", "0")))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    def stop(*_):
        leaving.set()
        threading.Timer(float(os.environ.get("DRAIN_S", "0.2")), server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=keep_registered, args=(server.server_address[1],)).start()
    server.serve_forever()
    server.server_close()
    print("left gracefully")
'''

PREPARE = """
import os, pathlib, sqlite3
def prepare(words):
    home = pathlib.Path(os.environ["SOUK_HOME"])
    with open(home / "data" / "prepared.txt", "a") as f:
        f.write(os.environ["SOUK_SERVICE"] + " " + " ".join(words) + "\\n")
    if os.environ.get("BROKEN_MIGRATION"):
        raise SystemExit("the table is on fire")
    db = sqlite3.connect(home / "data" / (os.environ["SOUK_SERVICE"] + ".db"))
    db.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)")
    db.execute("DELETE FROM alembic_version")
    db.execute("INSERT INTO alembic_version VALUES ('0002')")
    db.commit()
"""

SERVICE_MAIN = """
import sys
if sys.argv[1:] == ["serve"]:
    import toy_service
    toy_service.main()
else:
    import toy_prepare
    toy_prepare.prepare(sys.argv[1:])
"""

REGISTRY_MAIN = """
import http.server, json, os, signal, sys
services, kv = {}, {}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body=b"", status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        *_, verb, last = path.split("/")
        if path == "/v1/agent/service/register":
            entry = json.loads(body)
            services[entry["ID"]] = entry
        elif verb == "deregister":
            services.pop(last, None)
        elif verb == "pass":
            return self.answer(status=200 if last.removeprefix("service:") in services else 404)
        elif "/kv/" in self.path:
            kv[self.path] = body
            return self.answer(b"true")
        self.answer()
    def do_GET(self):
        if self.path == "/v1/agent/services":
            return self.answer(json.dumps({k: {"ID": k, "Service": v["Name"], "Address": v["Address"],
                "Port": v["Port"]} for k, v in services.items()}).encode())
        if self.path == "/v1/agent/checks":
            checks = {k: {"ServiceID": k, "Status": "passing"} for k in services}
            return self.answer(json.dumps(checks).encode())
        if "/kv/" in self.path:
            return self.answer(kv.get(self.path.split("?")[0], b""))
        self.answer(b'"leader"', 200 if self.path == "/v1/status/leader" else 404)
    def log_message(self, *words):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["REGISTRY_PORT"])), Handler).serve_forever()
"""

GATEWAY_MAIN = '''
import os, subprocess, sys
CHILD = """
import ctypes, http.server, sys
ctypes.CDLL(None).prctl(15, b"nginx")  # PR_SET_NAME
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
import signal
child = subprocess.Popen([sys.executable, "-c", CHILD, os.environ["GATEWAY_PORT"]], env={}, cwd=os.environ["SOUK_HOME"])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
child.wait()
'''

FLEET = """
[[service]]
name = "registry"
kind = "single"
database = false

[[service]]
name = "gateway"
kind = "single"
database = false

[[service]]
name = "apples"
consumes = ["pear.eaten"]

[[service]]
name = "pears"
database = false
consumes = ["pear.eaten", "apple.eaten"]
batches = ["apple.eaten"]
"""


def make_toys(folder: Path) -> Path:
    """Write the packages and their `fleet.toml` into `folder`; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy_service.py").write_text(SERVICE)
    (folder / "toy_prepare.py").write_text(PREPARE)
    mains = {
        "registry": REGISTRY_MAIN,
        "gateway": GATEWAY_MAIN,
        "apples": SERVICE_MAIN,
        "pears": SERVICE_MAIN,
    }
    for name, main in mains.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text("")
        (folder / name / "__main__.py").write_text(main)
    migrations = folder / "apples" / "migrations"
    migrations.mkdir(exist_ok=True)
    for revision in ("0001_initial.py", "0002_more.py"):
        (migrations / revision).write_text("")
    (folder / "apples" / "seed.py").write_text("")
    (folder / "fleet.toml").write_text(FLEET)
    return folder
