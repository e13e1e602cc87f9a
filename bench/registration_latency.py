"""How long after its registration does an instance get its first request through the gateway?

Starts a registry and a gateway of its own on free ports. Each sample registers one new instance of a service
that has none, asks the gateway until that instance answers, and deregisters it again. Then many register at once.

python -m bench.registration_latency [--samples 100]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.table import show, spans
from chassis.discovery import Discovery, make_discovery
from chassis.registration import Registration
from gateway.testing import Door, Upstream, eventually, free_port
from registry.testing import start_registry

PATH = "/api/orders/1"
ASK_EVERY_S = 0.005
SAMPLES, BURST, BURSTS = 100, 20, 5


def one_sample(door: Door, discovery: Discovery, number: int) -> float:
    """Seconds from the beginning of the registration to the first answer."""
    instance = Upstream()
    registration = Registration(f"orders-{number}", "orders", "127.0.0.1", instance.port, ttl_s=60)
    began = time.monotonic()
    discovery.register(registration)
    while door.served_by(PATH) != str(instance.port):
        time.sleep(ASK_EVERY_S)
    seconds = time.monotonic() - began
    discovery.deregister(registration.id)
    eventually(lambda: door.ask(PATH).status == 503)
    instance.close()
    return seconds


def reloads_of_a_burst(door: Door, discovery: Discovery, size: int = BURST) -> int:
    """How often nginx is reloaded for so many instances that register at the same moment."""
    before = door.notes["reloads"]
    instances = [Upstream() for _ in range(size)]
    registrations = [Registration(f"orders-burst-{i.port}", "orders", "127.0.0.1", i.port, ttl_s=60) for i in instances]
    with ThreadPoolExecutor(size) as pool:
        list(pool.map(discovery.register, registrations))
    waiting = {str(instance.port) for instance in instances}
    while waiting:
        waiting.discard(door.served_by(PATH))
    reloads: int = door.notes["reloads"] - before
    for registration, instance in zip(registrations, instances, strict=True):
        discovery.deregister(registration.id)
        instance.close()
    eventually(lambda: door.ask(PATH).status == 503)
    return reloads


@contextmanager
def door_and_discovery() -> Iterator[tuple[Door, Discovery]]:
    """A registry and a gateway, as processes of their own."""
    with tempfile.TemporaryDirectory() as folder, start_registry(Path(folder) / "registry") as registry:
        home, port = Path(folder), free_port()
        url = f"consul://127.0.0.1:{registry.port}"
        settings = {"SOUK_HOME": str(home), "GATEWAY_PORT": str(port), "DISCOVERY_URL": url}
        with (home / "gateway.log").open("w") as log:
            gateway = subprocess.Popen([sys.executable, "-m", "gateway"], env=os.environ | settings, stdout=log)
        discovery = make_discovery(url)
        try:
            eventually(lambda: '"serving"' in (home / "gateway.log").read_text())
            yield Door(port, home), discovery
        finally:
            discovery.close()
            gateway.terminate()
            gateway.wait()


def run(samples: int = SAMPLES) -> None:
    with door_and_discovery() as (door, discovery):
        found = [1000 * one_sample(door, discovery, number) for number in range(samples)]
        bursts = [reloads_of_a_burst(door, discovery) for _ in range(BURSTS)]
    title = f"registration -> first request through the gateway, {samples} samples, in ms"
    show(title, ["", "p50", "p95", "p99", "max"], [["one instance", *spans(found)]], "promised: p99 at most 500 ms")
    title = f"reloads of nginx for {BURST} registrations at once, {BURSTS} bursts"
    show(title, ["", "median", "most"], [["reloads", statistics.median(bursts), max(bursts)]], "promised: 1")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    run(parser.parse_args().samples)
