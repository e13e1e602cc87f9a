"""What is measured of a registry, ours or a Consul. Each function gives figures by name; the name says the unit."""

import itertools
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

import psutil

from bench.registry_client import Line, Lines, get, index_of, put
from bench.table import percentile
from registry.testing import Running

FEW = 10  # instances of the service that is read and watched most
HERD = 1000  # watchers that wait meanwhile
WRITERS = 4  # connections that renew at the same time
RENEWALS = 2000
CHANGE_EVERY_S = 0.5
READ_CPU_S = 0.3
Found = dict[str, float]


class Subject:
    """A running registry. It holds the service `few` with 10 instances, and `all` with as many as `count`."""

    def __init__(self, name: str, server: Running) -> None:
        self.name, self.port, self.count = name, server.port, 0
        self.registering = 0.0  # seconds that it took to register them all
        self._process = psutil.Process(server.process.pid)
        self._marks = itertools.count()
        self.line = Line(server.port)
        for number in range(FEW):
            self.line.ask(registration("few", number))

    def cpu(self) -> float:
        """Seconds that its processes have computed so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def memory(self) -> float:
        """MiB; pages that processes share are counted in parts (PSS)."""
        return sum(process.memory_full_info().pss for process in self._processes()) / 2**20

    def change(self, service: str) -> tuple[bytes, bytes]:
        """A registration that wakes the service's watchers, and a word that only answers after it contain."""
        mark = f"mark-{next(self._marks)}-"
        return registration(service, 0, mark), mark.encode()

    def _processes(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


def registration(service: str, number: int, mark: str = "") -> bytes:
    """The request by which an instance registers. Another mark makes it another definition."""
    definition = {
        "Name": service,
        "ID": f"{service}-{number}",
        "Address": "127.0.0.1",
        "Port": 20000 + number,
        "Meta": {"version": "0.1.0", "mark": mark},
        "Check": {"TTL": "600s", "Status": "passing", "DeregisterCriticalServiceAfter": "10m"},
    }
    return put("/v1/agent/service/register", json.dumps(definition).encode())


def health(service: str, index: int = 0) -> bytes:
    """The request for its healthy instances; with an index it waits for a change."""
    return get(f"/v1/health/service/{service}?passing" + (f"&index={index}&wait=5m" if index else ""))


def register(subject: Subject, instances: int) -> Found:
    """Register more instances of `all`, one after the other, until there are so many."""
    took = []
    for number in range(subject.count, instances):
        began = time.perf_counter()
        subject.line.ask(registration("all", number))
        took.append(time.perf_counter() - began)
    subject.count = instances
    subject.registering += sum(took)
    while subject.line.ask(health("all")).count(b"service:all-") < instances:
        time.sleep(0.05)  # Consul's catalogue follows its agent
    return {"all registered, s": subject.registering, "a registration, ms": 1000 * statistics.median(took)}


def read(subject: Subject, service: str, figure: str) -> Found:
    """CPU of a read of the service's healthy instances, over a kept connection."""
    request, count, began = health(service), 0, subject.cpu()
    while (used := subject.cpu() - began) < READ_CPU_S:
        for _ in range(10 if used else 1):
            subject.line.ask(request)
            count += 1
    return {figure: 1000 * used / count}


def wake(subject: Subject, service: str, watchers: int, figure: str) -> Found:
    """From the beginning of a registration to the whole answer of the last of the watchers, the change in it."""
    change, mark = subject.change(service)
    with Lines(subject.port, watchers) as lines:
        lines.send(health(service, index_of(subject.line.ask(health(service)))))
        time.sleep(0.02 + 0.0005 * watchers)  # until they wait; one that is late would be answered late, too
        cpu, began = subject.cpu(), time.perf_counter()
        subject.line.send(change)
        for _, answer in lines.answers(watchers):
            assert mark in answer, "woken without the change"
        seconds, cpu = time.perf_counter() - began, subject.cpu() - cpu
    subject.line.receive()
    cost = {"CPU of waking one of 1000, ms": 1000 * cpu / watchers} if watchers == HERD else {}
    return {figure: 1000 * seconds} | cost


def renew(subject: Subject) -> Found:
    """Renewals over four connections while a thousand watchers wait; what a renewal costs, and the memory by then."""
    with herd(subject), Lines(subject.port, WRITERS) as writers:
        cpu, began = subject.cpu(), time.perf_counter()
        took = writers.ask_all(renewals(subject, RENEWALS))
        seconds, cpu = time.perf_counter() - began, subject.cpu() - cpu
        return {
            "renewals per s": RENEWALS / seconds,
            "CPU of a renewal, ms": 1000 * cpu / RENEWALS,
            "renewal p99, 1000 blocked, ms": 1000 * percentile(took, 0.99),
            "memory, MiB": subject.memory(),
        }


def renew_among_changes(subject: Subject) -> Found:
    """The same while all those watchers are woken twice a second."""

    def requests() -> Iterator[bytes]:
        began = changed = time.perf_counter()
        for renewal in renewals(subject):
            if (now := time.perf_counter()) > began + 3 * CHANGE_EVERY_S:
                return
            if now > changed + CHANGE_EVERY_S:
                changed = now
                yield subject.change("few")[0]
            yield renewal

    with herd(subject), Lines(subject.port, WRITERS) as writers:
        took = writers.ask_all(requests())
    return {"renewal p99, 1000 woken, ms": 1000 * percentile(took, 0.99)}


def renewals(subject: Subject, count: int | None = None) -> Iterator[bytes]:
    """Of all instances in turn; without a count, for ever."""
    numbers = itertools.islice(itertools.cycle(range(subject.count)), count)
    return (put(f"/v1/agent/check/pass/service:all-{number}") for number in numbers)


@contextmanager
def herd(subject: Subject) -> Iterator[None]:
    """A thousand watchers of `few`, in a process of their own, who ask again when they are answered."""
    waiting = multiprocessing.Event()
    process = multiprocessing.Process(target=_watch_for_ever, args=(subject.port, waiting), daemon=True)
    process.start()
    assert waiting.wait(60), "the watchers could not connect"
    time.sleep(0.5)
    try:
        yield
    finally:
        process.terminate()
        process.join()
        subject.line.ask(subject.change("few")[0])  # so that the server notices that they are gone


def _watch_for_ever(port: int, waiting: Event) -> None:
    line = Line(port)
    with Lines(port, HERD) as lines:
        lines.send(health("few", index_of(line.ask(health("few")))))
        waiting.set()
        for watcher, answer in lines.answers():
            watcher.send(health("few", index_of(answer)))
