"""How long after its registration does an instance get its first request through the gateway?

Starts a registry and a gateway of its own on free ports. Each sample registers one new instance of a service
that has none, asks the gateway until that instance answers, and deregisters it again.

    python bench/registration_latency.py [--samples 40]
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chassis.discovery import Discovery, make_discovery
from chassis.registration import Registration
from gateway.testing import Door, Upstream, eventually, free_port
from registry.testing import start_registry

PATH = "/api/orders/1"
ASK_EVERY_S = 0.005


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


def percentile(sorted_values: list[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    return sorted_values[math.ceil(share * len(sorted_values)) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as folder, start_registry(Path(folder) / "registry") as registry:
        home, port = Path(folder), free_port()
        url = f"consul://127.0.0.1:{registry.port}"
        settings = {"SOUK_HOME": str(home), "GATEWAY_PORT": str(port), "DISCOVERY_URL": url}
        with (home / "gateway.log").open("w") as log:
            gateway = subprocess.Popen([sys.executable, "-m", "gateway"], env=os.environ | settings, stdout=log)
        door = Door(port, home)
        try:
            eventually(lambda: '"serving"' in (home / "gateway.log").read_text())
            found = sorted(one_sample(door, make_discovery(url), number) for number in range(samples))
            reloads = door.notes["reloads"]
        finally:
            gateway.terminate()
            gateway.wait()
    print(f"registration -> first request through the gateway, {samples} samples, {reloads} reloads")
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
        print(f"  {name}  {percentile(found, share) * 1000:6.1f} ms")


if __name__ == "__main__":
    main()
