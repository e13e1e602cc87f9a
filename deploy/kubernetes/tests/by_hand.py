"""Does by hand what a cluster would do with the manifests: runs Jobs and Deployments as processes, and keeps DNS.

Each pod has an address of its own on loopback, so that all can have the same port, as on Kubernetes.
"""

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress

import requests

from chassis.testing import eventually
from chassis.testing_dns import FakeDns
from gateway.testing import free_port


class Pod:
    """One process, as a container describes it."""

    def __init__(self, name, process, address, log):
        self.name, self.process, self.address, self.log = name, process, address, log


class Cluster:
    """What is put in place of a cluster's own is listed in `_environment`: nothing else is changed."""

    def __init__(self, objects, secrets, home):
        self.objects, self.home = objects, home
        self.config = next(one["data"] for name, one in objects.of("ConfigMap").items() if name.startswith("souk-"))
        self.dns = FakeDns("souk.svc.cluster.local")
        self.port, self.gateway_port = free_port(), free_port()
        self.pods: list[Pod] = []
        self._addresses = (f"127.0.{os.getpid() % 200 + 10}.{number}" for number in itertools.count(1))
        for secret in secrets.values():
            for key, text in secret["stringData"].items():
                (home / key).write_text(text)

    def job(self, name):
        """Run the Job to its end."""
        (container,) = self.objects.of("Job")[name]["spec"]["template"]["spec"]["containers"]
        pod = self._start(name, container, next(self._addresses))
        assert pod.process.wait(timeout=100) == 0, pod.log.read_text()
        self.pods.remove(pod)

    def run(self, name):
        """One pod of the Deployment; DNS knows it when it is ready."""
        (container,) = self.objects.of("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        pod = self._start(name, container, next(self._addresses))
        if name == "gateway":
            eventually(lambda: _answers(f"http://127.0.0.1:{self.gateway_port}/healthz", 404), 60)
        else:
            path = container["readinessProbe"]["httpGet"]["path"]
            eventually(lambda: self._is_ready(pod, path), 60)
            self._publish(name)
        return pod

    def end(self, name, pod):
        """What happens to a pod that is no longer wanted."""
        pod.process.send_signal(signal.SIGTERM)
        self.pods.remove(pod)
        self._publish(name)
        assert pod.process.wait(timeout=60) == 0

    def close(self):
        for pod in self.pods:
            pod.process.terminate()
        for pod in self.pods:
            with suppress(subprocess.TimeoutExpired):
                pod.process.wait(timeout=20)
            pod.process.kill()
            pod.process.wait()
            if pod.name == "gateway":
                print(pod.log.read_text())  # pytest shows it when the test has failed
        self.dns.stop()

    def _start(self, name, container, address):
        python, *words = [*container["command"], *container.get("args", [])]
        assert python == "python"
        log = self.home / f"{name}-{address}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words], env=self._environment(name, container, address), stdout=output, stderr=output
            )
        self.pods.append(Pod(name, process, address, log))
        return self.pods[-1]

    def _environment(self, name, container, address):
        environ = dict(os.environ)
        if "envFrom" in container:
            environ |= self.config
        for one in container["env"]:
            source = one.get("valueFrom", {})
            if "configMapKeyRef" in source:
                environ[one["name"]] = self.config[source["configMapKeyRef"]["key"]]
            elif "value" in one:
                environ[one["name"]] = one["value"]
        url = environ["DISCOVERY_URL"].replace(":8000", f":{self.port}")
        mine = {
            "DISCOVERY_URL": f"{url}?server=127.0.0.1:{self.dns.port}", "PORT": str(self.port), "HOST": address,
            "GATEWAY_PORT": str(self.gateway_port), "SOUK_HOME": str(self.home / "pods" / name), "DRAIN_S": "4",
        }  # fmt: skip
        files = {
            key: str(self.home / environ[key].rpartition("/")[2])
            for key in ("SERVICE_KEY_FILE", "SESSION_KEY_FILE", "PASSWORDS_FILE") if key in environ
        }  # fmt: skip
        return environ | mine | files

    def _is_ready(self, pod, path):
        assert pod.process.poll() is None, pod.log.read_text()
        with suppress(requests.RequestException):
            return requests.get(f"http://{pod.address}:{self.port}{path}", timeout=5).ok
        return False

    def _publish(self, name):
        self.dns.put(name, *(pod.address for pod in self.pods if pod.name == name and pod.process.poll() is None))


def _answers(url, status):
    """Whether nginx serves: `nginx -t`, which comes before, takes connections for a moment too, and drops them."""
    with suppress(requests.RequestException):
        return requests.get(url, timeout=5).status_code == status
    return False
