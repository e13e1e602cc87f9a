"""A gateway without a registry: DNS says who is there, and the settings are those of the environment."""

from chassis import dns_discovery
from chassis.discovery import make_discovery
from chassis.testing_dns import FakeDns
from gateway.testing import eventually, open_gateway


def records(*upstreams):
    return [f"0 1 {upstream.port} here.souk.test." for upstream in upstreams]


def test_the_gateway_follows_dns(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr(dns_discovery, "FLOOR_S", 0.05)
    one, two = upstream(), upstream()
    server = FakeDns()
    server.put("here", "127.0.0.1")
    server.put("_http._tcp.catalog", *records(one), kind="SRV")
    discovery = make_discovery(f"dns://souk.test?server=127.0.0.1:{server.port}")
    with open_gateway(tmp_path, discovery, CACHE_SECONDS="60") as door:
        assert door.served_by("/api/catalog/products") == str(one.port)
        assert door.ask("/api/catalog/products").headers["x-cache"] == "HIT"
        assert door.ask("/api/orders/1").status == 503
        server.put("_http._tcp.catalog", *records(two), kind="SRV")
        eventually(lambda: door.served_by("/api/catalog/openapi.json") == str(two.port))
        server.stop()
        assert door.served_by("/api/catalog/openapi.json") == str(two.port)
    discovery.close()
