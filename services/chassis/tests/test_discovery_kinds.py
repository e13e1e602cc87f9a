"""What a client of the registry guarantees, a client of DNS does, too."""

import threading

import pytest

from chassis import consul, dns_discovery
from chassis.discovery import ConsulDiscovery, make_discovery
from chassis.dns_discovery import DnsDiscovery
from chassis.registration import Registration
from chassis.testing import eventually
from chassis.testing_dns import FakeDns
from chassis.tests.fake_servers import FakeClock, FakeRegistry, row

PORT = 4001


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(consul, "BACK_OFF_S", (0.01, 0.02))
    for name, value in {"FLOOR_S": 0.01, "RETRY_S": 0.01, "TRY_S": 0.1, "ANSWER_S": 0.2}.items():
        monkeypatch.setattr(dns_discovery, name, value)


class Registry:
    """Catalog's instances as the registry tells them."""

    def __init__(self):
        self.server = FakeRegistry()
        self.url = self.server.url

    def set(self, *addresses):
        self.server.set(*(row(f"catalog-{address}-{PORT}", Address=address, port=PORT) for address in addresses))

    def open(self, clock):
        return ConsulDiscovery("127.0.0.1", self.server.port, renewal_s=1.0, clock=clock)

    def return_with(self, *addresses):
        self.server.rows = [row(f"catalog-{address}-{PORT}", Address=address, port=PORT) for address in addresses]
        self.server.start()


class Dns:
    """The same as DNS tells it."""

    def __init__(self):
        self.server = FakeDns()
        self.url = f"dns://souk.test:{PORT}?server=127.0.0.1:{self.server.port}"

    def set(self, *addresses):
        self.server.put("catalog", *addresses)

    def open(self, clock):
        return DnsDiscovery("souk.test", PORT, ("127.0.0.1", self.server.port), doubt_s=3.0, clock=clock)

    def return_with(self, *addresses):
        self.set(*addresses)
        self.server.start()


@pytest.fixture(params=[Registry, Dns])
def source(request):
    source = request.param()
    yield source
    source.server.stop()


@pytest.fixture
def discovery(source):
    discovery = make_discovery(source.url, renewal_s=0.1)
    yield discovery
    discovery.close()


def addresses(discovery, name="catalog"):
    return [instance.address for instance in discovery.instances(name)]


def heard_by(discovery):
    heard = []
    discovery.watch("catalog", lambda instances: heard.append([one.address for one in instances]))
    return heard


def test_the_first_use_waits_for_the_first_answer(source, discovery):
    source.set("10.0.0.2", "10.0.0.1")
    first, second = discovery.instances("catalog")
    assert (first.id, first.service, first.url) == ("catalog-10.0.0.1-4001", "catalog", "http://10.0.0.1:4001")
    assert second.id == "catalog-10.0.0.2-4001"


def test_nobody_known_is_an_empty_list_at_once(source, discovery):
    assert discovery.instances("nobody", wait_s=60) == []


def test_a_change_arrives_by_itself(source, discovery):
    source.set("10.0.0.1")
    assert addresses(discovery) == ["10.0.0.1"]
    source.set("10.0.0.1", "10.0.0.2")
    eventually(lambda: addresses(discovery) == ["10.0.0.1", "10.0.0.2"])
    source.set("10.0.0.2")
    eventually(lambda: addresses(discovery) == ["10.0.0.2"])


def test_the_first_instance_arrives_by_itself(source, discovery):
    assert addresses(discovery) == []
    source.set("10.0.0.1")
    eventually(lambda: addresses(discovery) == ["10.0.0.1"])


def test_a_watcher_hears_of_the_first_answer_and_of_changes_only(source, discovery):
    source.set("10.0.0.1")
    heard = heard_by(discovery)
    eventually(lambda: heard)
    source.set("10.0.0.1")
    source.set("10.0.0.2", "10.0.0.1")
    eventually(lambda: len(heard) > 1)
    source.set("10.0.0.1", "10.0.0.2")
    source.set("10.0.0.2")
    eventually(lambda: len(heard) > 2)
    assert heard == [["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2"]]


def test_a_late_watcher_hears_what_is_known(source, discovery):
    source.set("10.0.0.1")
    addresses(discovery)
    assert heard_by(discovery) == [["10.0.0.1"]]


def test_a_watcher_that_fails_does_not_end_the_watch(source, discovery, caplog):
    def fail(_instances):
        raise ZeroDivisionError

    discovery.watch("catalog", fail)
    heard = heard_by(discovery)
    source.set("10.0.0.1")
    eventually(lambda: heard and heard[-1])
    assert "a listener failed" in caplog.text


def test_without_an_answer_the_list_stays_and_it_is_said_once(source, discovery, caplog):
    source.set("10.0.0.1")
    addresses(discovery)
    source.server.stop()
    eventually(lambda: "does not answer" in caplog.text)
    assert addresses(discovery) == ["10.0.0.1"]
    source.return_with("10.0.0.1", "10.0.0.2")
    eventually(lambda: addresses(discovery) == ["10.0.0.1", "10.0.0.2"])
    eventually(lambda: "answers again" in caplog.text)
    assert caplog.text.count("does not answer") == 1


def test_who_is_missing_after_an_outage_is_kept_for_a_while(source, caplog):
    clock = FakeClock()
    discovery = source.open(clock)
    source.set("10.0.0.1", "10.0.0.2")
    heard = heard_by(discovery)
    eventually(lambda: heard)
    source.server.stop()
    eventually(lambda: "does not answer" in caplog.text)
    source.return_with("10.0.0.2")
    eventually(lambda: "answers again" in caplog.text)
    assert addresses(discovery) == ["10.0.0.1", "10.0.0.2"]
    clock.now += 3.1
    source.set("10.0.0.2")
    eventually(lambda: len(heard) > 1)
    discovery.close()
    assert heard == [["10.0.0.1", "10.0.0.2"], ["10.0.0.2"]]


def test_the_first_use_gives_up_and_later_ones_do_not_wait(source):
    source.server.stop()
    discovery = make_discovery(source.url)
    assert discovery.instances("catalog", wait_s=0.05) == []
    assert discovery.instances("catalog", wait_s=0) == []
    source.return_with("10.0.0.1")
    eventually(lambda: addresses(discovery) == ["10.0.0.1"])
    discovery.close()


def test_close_ends_every_thread(source, discovery):
    before = set(threading.enumerate())
    addresses(discovery)
    addresses(discovery, "orders")
    watches = [t for t in threading.enumerate() if t not in before and t.name.startswith("watch ")]
    assert len(watches) == 2
    discovery.close()
    assert not any(watch.is_alive() for watch in watches)


def test_close_ends_a_thread_that_nobody_answers(source):
    source.server.stop()
    before = set(threading.enumerate())
    discovery = make_discovery(source.url)
    discovery.instances("catalog", wait_s=0)
    watches = [t for t in threading.enumerate() if t not in before and t.name.startswith("watch ")]
    discovery.close()
    assert watches
    assert not any(watch.is_alive() for watch in watches)


def test_many_threads_start_one_watch(source, discovery):
    source.set("10.0.0.1")
    before = set(threading.enumerate())
    threads = [threading.Thread(target=addresses, args=(discovery,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([t for t in threading.enumerate() if t not in before and t.name.startswith("watch ")]) == 1


def test_nothing_is_started_before_the_first_use(source):
    before = threading.active_count()
    make_discovery(source.url)
    assert threading.active_count() == before


def test_with_dns_registering_is_nothing(caplog):
    discovery = make_discovery("dns://souk.test:8000?server=127.0.0.1:9")
    discovery.register(Registration("catalog-1", "catalog", "127.0.0.1", 4001))
    assert discovery.renew("catalog-1")
    discovery.deregister("catalog-1")
    assert caplog.text == ""


def test_with_dns_there_are_no_live_settings():
    seen = []
    make_discovery("dns://souk.test:8000?server=127.0.0.1:9").watch_kv("souk/", seen.append)
    assert seen == [{}]
