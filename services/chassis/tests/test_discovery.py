"""The client of a registry that can be made to misbehave, and that of a file. test_discovery_kinds.py has the rest."""

import os
import threading

import pytest

from chassis import consul
from chassis.discovery import ConsulDiscovery, make_discovery
from chassis.testing import eventually
from chassis.tests.fake_servers import FakeClock, FakeRegistry, row

OK = {"X-Consul-Index": "99"}
NONSENSE = {
    "a page of HTML": (200, OK, b"<html>It works!</html>"),
    "an error": (500, {}, b"rpc error: No cluster leader"),
    "no index": (200, {}, b"[]"),
    "an index that is no number": (200, {"X-Consul-Index": "many"}, b"[]"),
    "index zero": (200, {"X-Consul-Index": "0"}, b"[]"),
    "an object for a list": (200, OK, b'{"a": 1}'),
    "a list of something else": (200, OK, b'[1, null, "x"]'),
    "instances without checks": (200, OK, b'[{"Service": {"ID": "a"}}]'),
    "null": (200, OK, b"null"),
    "not found": (404, OK, b""),
    "half a list": (200, OK, b'[{"Node":'),
    "lists nested too deep": (200, OK, b"[" * 100_000),
    "more than anybody can want": (200, OK, b"[" + b" " * 100_000 + b"]"),
    "half of the answer, and silence": (200, OK | {"Content-Length": "1000"}, b"[]"),
    "chunks that are none": (200, OK | {"Transfer-Encoding": "chunked"}, b"rubbish"),
    "another place": (302, OK | {"Location": "http://127.0.0.1:1/"}, b"[]"),
    "a port that is none": (200, OK, b'[{"Service": {"ID": "a", "Port": "x"}, "Checks": []}]'),
    "no answer at all": None,
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(consul, "BACK_OFF_S", (0.01, 0.02))


@pytest.fixture
def registry():
    registry = FakeRegistry()
    yield registry
    registry.stop()


@pytest.fixture
def discovery(registry):
    discovery = make_discovery(registry.url, renewal_s=0.1)
    yield discovery
    discovery.close()


def ids(discovery, name="catalog"):
    return [instance.id for instance in discovery.instances(name)]


def seen_by(watch, name="catalog"):
    seen = []
    watch(name, seen.append)
    return seen


@pytest.mark.parametrize("url", ["", "localhost:8500", "http://x:1", "consul://", "static://file.toml", "consul:///x"])
def test_an_unknown_kind_of_url_is_refused_with_those_that_there_are(url):
    with pytest.raises(ValueError, match="give consul://host:port, dns://suffix:port or static:///path"):
        make_discovery(url)


def test_the_first_use_waits_for_the_first_answer(registry, discovery):
    registry.set(row("b"), row("a"), row("ill", ("critical", "")))
    assert ids(discovery) == ["a", "b"]


def test_later_uses_ask_nobody(registry, discovery):
    registry.set(row("a"))
    ids(discovery)
    eventually(lambda: len(registry.asked) == 2)  # the second one waits for a change
    for _ in range(100):
        assert ids(discovery) == ["a"]
    assert len(registry.asked) == 2


def test_critical_instances_are_asked_for_too(registry, discovery):
    ids(discovery)
    assert "passing" not in registry.asked[0][0]


def test_a_watcher_hears_of_the_first_answer_and_of_changes_only(registry, discovery):
    seen = seen_by(discovery.watch)
    eventually(lambda: len(seen) == 1)
    registry.set(row("a"))
    registry.set(row("a"), row("ill", ("critical", "refused")))
    registry.set(row("a"), row("b"))
    eventually(lambda: [one.id for one in seen[-1]] == ["a", "b"])
    heard = [[one.id for one in instances] for instances in seen]
    assert heard in ([[], ["a"], ["a", "b"]], [[], ["a", "b"]])


def test_names_with_odd_characters_are_escaped(registry, discovery):
    ids(discovery, "a b/c?d")
    assert registry.asked[0][0].startswith("/v1/health/service/a%20b%2Fc%3Fd?")


def test_key_value_pairs_are_watched(registry, discovery):
    seen = []
    discovery.watch_kv("souk/gateway/", seen.append)
    eventually(lambda: seen == [{}])
    registry.set(**{"souk/gateway/cache": "off", "souk/gateway/empty": "", "other": "x"})
    eventually(lambda: len(seen) > 1)
    assert seen[-1] == {"souk/gateway/cache": "off", "souk/gateway/empty": ""}
    registry.set()
    eventually(lambda: seen[-1] == {})


def test_while_the_registry_is_away_the_list_stays(registry, discovery, caplog):
    registry.set(row("a"))
    ids(discovery)
    registry.stop()
    eventually(lambda: "does not answer" in caplog.text)
    assert ids(discovery) == ["a"]
    registry.rows.append(row("b"))
    registry.start()
    eventually(lambda: ids(discovery) == ["a", "b"])


def test_a_registry_that_returns_empty_is_not_believed_at_first_and_later_it_is(registry):
    clock = FakeClock()
    discovery = ConsulDiscovery("127.0.0.1", registry.port, renewal_s=1.0, clock=clock)
    registry.set(row("a"), row("b"))
    seen = seen_by(discovery.watch)
    eventually(lambda: seen)
    registry.stop()
    registry.set(index=1)
    registry.start()
    eventually(lambda: "index=1&" in registry.asked[-1][0])
    assert "wait=3000ms" in registry.asked[-1][0]  # it looks again when the doubt is over
    assert ids(discovery) == ["a", "b"]
    clock.now += 3.1
    registry.set(row("a"))
    eventually(lambda: len(seen) > 1)
    discovery.close()
    assert [[one.id for one in instances] for instances in seen] == [["a", "b"], ["a"]]


def test_a_fallen_index_is_noticed_without_a_lost_connection(registry, discovery):
    registry.set(row("a"), index=1000)
    seen = seen_by(discovery.watch)
    eventually(lambda: seen)
    registry.set(row("b"), index=5)
    eventually(lambda: [one.id for one in seen[-1]] == ["b"])
    assert [[one.id for one in instances] for instances in seen] == [["a"], ["a", "b"], ["b"]]
    registry.set(row("c"))
    eventually(lambda: ids(discovery) == ["c"])


def test_after_an_outage_the_first_question_does_not_wait_for_an_index_of_before(registry, discovery):
    registry.set(row("a"), index=1_000_000)
    ids(discovery)
    registry.stop()
    registry.set(row("a"), row("b"), index=7)
    registry.start()
    eventually(lambda: ids(discovery) == ["a", "b"])


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_changes_nothing_and_the_next_good_answer_counts(registry, discovery, answer, monkeypatch, caplog):
    monkeypatch.setattr(consul, "MOST_BYTES", 50_000)
    monkeypatch.setattr(consul, "WRITE_TIMEOUT_S", 0.1)
    registry.set(row("a"))
    ids(discovery)
    asked = []

    def misbehave(*_):
        asked.append(1)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(registry._server, "handle", misbehave)
        registry._server.cut()
        eventually(lambda: len(asked) >= 3)
    assert ids(discovery) == ["a"]
    registry.set(row("a"), row("b"))
    eventually(lambda: ids(discovery) == ["a", "b"])
    eventually(lambda: caplog.text.count("the registry answers again") == 1)
    assert caplog.text.count("the registry does not answer") == 1  # said once, however often it was asked


def test_nonsense_for_key_value_pairs_changes_nothing(registry, discovery):
    seen = []
    discovery.watch_kv("souk/", seen.append)
    registry.set(**{"souk/a": "1"})
    eventually(lambda: seen and seen[-1] == {"souk/a": "1"})
    registry.set(fault=(200, OK, b'[{"Key": "souk/a", "Value": "%%%"}, {"Key": 1}]'))
    asked = len(registry.asked)
    eventually(lambda: len(registry.asked) >= asked + 2)
    registry.set(**{"souk/a": "2"})
    eventually(lambda: seen[-1] == {"souk/a": "2"})
    assert {"souk/a": "1"} in seen
    assert all(pairs in ({}, {"souk/a": "1"}, {"souk/a": "2"}) for pairs in seen)


def test_a_registry_that_does_not_block_is_not_hammered(registry, discovery, monkeypatch):
    monkeypatch.setattr(consul, "BACK_OFF_S", (0.2,))
    registry.blocks = False
    registry.set(row("a"))
    ids(discovery)
    eventually(lambda: len(registry.asked) >= 4)
    first, last = registry.asked[1][1], registry.asked[3][1]
    assert last - first >= consul.BACK_OFF_S[-1]


def test_close_ends_watches_that_wait(registry, discovery):
    before = set(threading.enumerate())
    ids(discovery)
    discovery.watch_kv("souk/", lambda _: None)
    eventually(lambda: len(registry.asked) == 4)
    watches = [t for t in threading.enumerate() if t not in before and t.name.startswith("watch ")]
    assert len(watches) == 2
    discovery.close()
    assert not any(watch.is_alive() for watch in watches)


def test_many_threads_start_one_watch(registry, discovery):
    registry.set(row("a"))
    threads = [threading.Thread(target=ids, args=(discovery,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(registry.asked) == 2)
    assert registry._server.connections == 1


# --- a file instead of a registry


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "fleet.toml"
    file.write_text('[services]\ncatalog = ["127.0.0.1:4001", "[::1]:4002"]\n')
    return file


def rewrite(file, text):
    file.write_text(text)
    newer = file.stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(newer, newer))  # two writes may fall into one tick of the file system's clock


def test_a_file_says_who_is_there(file):
    discovery = make_discovery(f"static://{file}")
    assert [one.url for one in discovery.instances("catalog")] == ["http://127.0.0.1:4001", "http://[::1]:4002"]
    assert discovery.instances("orders") == []


def test_a_changed_file_is_read_again(file):
    discovery = make_discovery(f"static://{file}")
    seen = seen_by(discovery.watch)
    rewrite(file, '[services]\ncatalog = ["127.0.0.1:5000"]\n')
    assert [one.port for one in discovery.instances("catalog")] == [5000]
    eventually(lambda: len(seen) == 2)
    discovery.close()


@pytest.mark.parametrize("text", ["", "[services", "services = 1", '[services]\ncatalog = ["no port"]', "\xff"])
def test_a_spoilt_file_leaves_the_instances_known_before(file, text, caplog):
    discovery = make_discovery(f"static://{file}")
    rewrite(file, text)
    assert len(discovery.instances("catalog")) == 2
    assert "keeping the instances" in caplog.text
    file.unlink()
    assert len(discovery.instances("catalog")) == 2


def test_a_missing_or_spoilt_file_is_refused_at_the_start(tmp_path):
    with pytest.raises(ValueError, match="cannot read"):
        make_discovery(f"static://{tmp_path}/none.toml")
    (tmp_path / "bad.toml").write_text("x = 1")
    with pytest.raises(ValueError, match=r"\[services\]"):
        make_discovery(f"static://{tmp_path}/bad.toml")


def test_a_file_has_no_live_settings(file):
    seen = []
    make_discovery(f"static://{file}").watch_kv("souk/", seen.append)
    assert seen == [{}]
