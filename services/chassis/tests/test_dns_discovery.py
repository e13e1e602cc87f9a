"""What is special about DNS: kinds of records, times to live, and answers that are none."""

import dns.message
import dns.rcode
import dns.rrset
import pytest

from chassis import dns_discovery
from chassis.discovery import make_discovery
from chassis.dns_discovery import DnsDiscovery
from chassis.testing import eventually
from chassis.testing_dns import FakeDns, refusal, truncated
from chassis.tests.fake_servers import FakeClock

NAME = "catalog.souk.test."


def half(question):
    return dns.message.make_response(question).to_wire()[:20]


def another_id(question):
    reply = dns.message.make_response(question)
    reply.id = (question.id + 1) % 65536
    return reply.to_wire()


def another_question(question):
    reply = dns.message.make_response(dns.message.make_query("orders.souk.test", "A"))
    reply.id = question.id
    reply.answer.append(dns.rrset.from_text("orders.souk.test.", 0, "IN", "A", "10.6.6.6"))
    return reply.to_wire()


def circle_of_aliases(question):
    reply = dns.message.make_response(question)
    reply.answer.append(dns.rrset.from_text(NAME, 0, "IN", "CNAME", "b.souk.test."))
    reply.answer.append(dns.rrset.from_text("b.souk.test.", 0, "IN", "CNAME", NAME))
    return reply.to_wire()


NONSENSE = {
    "SERVFAIL": refusal(dns.rcode.SERVFAIL),
    "REFUSED": refusal(dns.rcode.REFUSED),
    "FORMERR": refusal(dns.rcode.FORMERR),
    "silence": lambda _question: None,
    "garbage": lambda _question: b"\xff" * 40,
    "one byte": lambda _question: b"x",
    "half an answer": half,
    "an answer to somebody else": another_id,
    "an answer to another question": another_question,
    "aliases in a circle": circle_of_aliases,
    "the question itself": lambda question: question.to_wire(),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for name, value in {"FLOOR_S": 0.01, "RETRY_S": 0.01, "TRY_S": 0.1, "ANSWER_S": 0.2}.items():
        monkeypatch.setattr(dns_discovery, name, value)


@pytest.fixture
def server():
    server = FakeDns()
    yield server
    server.stop()


@pytest.fixture
def open_discovery(server):
    opened = []

    def open_it(port=8000, clock=None):
        asked = ("127.0.0.1", server.port)
        opened.append(DnsDiscovery("souk.test", port, asked, **({"clock": clock} if clock else {})))
        return opened[-1]

    yield open_it
    for discovery in opened:
        discovery.close()


def urls(discovery):
    return [instance.url for instance in discovery.instances("catalog")]


def asked_again(server, times=2):
    asked = len(server.asked)
    eventually(lambda: len(server.asked) >= asked + times)


@pytest.mark.parametrize("url", ["dns://", "dns:///souk", "dns://souk.test/path", "dns://:8000"])
def test_a_url_without_a_suffix_is_refused(url):
    with pytest.raises(ValueError, match="dns://suffix:port"):
        make_discovery(url)


@pytest.mark.parametrize("url", ["dns://souk.test:port", "dns://souk.test:70000", f"dns://{'a' * 64}.test"])
def test_a_port_or_a_suffix_that_is_none_is_refused(url):
    with pytest.raises(ValueError):
        make_discovery(url)


def test_a_server_is_given_by_its_address():
    with pytest.raises(ValueError, match="cannot ask DNS"):
        make_discovery("dns://souk.test:8000?server=ns.souk.test:53")


def test_addresses_of_version_6_are_taken_where_there_are_no_others(server, open_discovery):
    server.put("catalog", "fd00::2", kind="AAAA")
    discovery = open_discovery()
    assert urls(discovery) == ["http://[fd00::2]:8000"]
    server.put("catalog", "10.0.0.1")
    eventually(lambda: urls(discovery) == ["http://10.0.0.1:8000"])


def test_without_a_port_the_service_records_say_it(server, open_discovery):
    server.put(
        "_http._tcp.catalog", "1 30 7001 a.souk.test.", "1 70 7002 b.souk.test.", "2 0 7003 b.souk.test.", kind="SRV"
    )
    server.put("a", "10.0.0.1")
    server.put("b", "10.0.0.2")
    found = open_discovery(port=None).instances("catalog")
    assert [(one.url, one.weight) for one in found] == [("http://10.0.0.1:7001", 30), ("http://10.0.0.2:7002", 70)]


def test_an_alias_is_followed(server, open_discovery):
    def answer(question):
        reply = dns.message.make_response(question)
        reply.answer.append(dns.rrset.from_text(NAME, 0, "IN", "CNAME", "elsewhere.souk.test."))
        reply.answer.append(dns.rrset.from_text("elsewhere.souk.test.", 0, "IN", "A", "10.0.0.1"))
        return reply.to_wire()

    server.fault = answer
    assert urls(open_discovery()) == ["http://10.0.0.1:8000"]


@pytest.mark.parametrize(("ttl", "pause_s"), [(0, 1.0), (3, 3.0), (30, 5.0)])
def test_it_asks_again_when_the_time_to_live_is_over_within_bounds(server, open_discovery, monkeypatch, ttl, pause_s):
    monkeypatch.setattr(dns_discovery, "FLOOR_S", 1.0)
    server.ttl = ttl
    server.put("catalog", "10.0.0.1")
    assert open_discovery()._look_up("catalog")[1] == pause_s


@pytest.mark.parametrize("fault", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_changes_nothing_and_the_next_good_answer_counts(server, open_discovery, fault, caplog):
    server.put("catalog", "10.0.0.1")
    discovery = open_discovery()
    assert urls(discovery) == ["http://10.0.0.1:8000"]

    def said(words):
        return caplog.text.count(words)

    server.fault = fault
    asked_again(server, 3)  # so that no good answer is under way any more
    # A busy machine may have been too slow for good answers, too, so what is said is counted from here on.
    eventually(lambda: said("DNS does not answer for catalog") == said("DNS answers again for catalog") + 1)
    before = said("does not answer")
    asked_again(server)
    assert said("does not answer") == before, "once, and not for each question"
    assert urls(discovery) == ["http://10.0.0.1:8000"]
    server.put("catalog", "10.0.0.1", "10.0.0.2")
    server.fault = None
    eventually(lambda: len(urls(discovery)) == 2)
    eventually(lambda: said("DNS answers again for catalog") == said("DNS does not answer for catalog"))


def test_many_instances_come_by_tcp(server, open_discovery):
    server.put("catalog", *(f"10.0.1.{number}" for number in range(200)))
    assert len(urls(open_discovery())) == 200


def test_half_a_list_is_none(server, open_discovery, caplog):
    server.put("catalog", "10.0.0.1", "10.0.0.2")
    discovery = open_discovery()
    assert len(urls(discovery)) == 2
    server.tcp_fault = refusal(dns.rcode.SERVFAIL)
    server.fault = truncated
    eventually(lambda: "does not answer" in caplog.text)
    assert len(urls(discovery)) == 2


@pytest.mark.parametrize("no_such_name", [True, False], ids=["NXDOMAIN", "no records"])
def test_a_list_that_becomes_empty_is_doubted_first_and_believed_later(server, open_discovery, no_such_name):
    clock = FakeClock()
    server.put("catalog", "10.0.0.1")
    discovery = open_discovery(clock=clock)
    assert len(urls(discovery)) == 1
    if not no_such_name:
        server.put("catalog", "something", kind="TXT")
    server.put("catalog")
    asked_again(server, 4)
    assert len(urls(discovery)) == 1
    clock.now += 3.1
    eventually(lambda: urls(discovery) == [])
