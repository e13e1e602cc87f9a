"""How requests are spread, repeated and answered from the cache."""

import http.client
import threading
from collections import Counter

import pytest

from gateway.testing import Answer, eventually, read_reply

PRODUCTS = "/api/catalog/products"


def spread(door, path, count, clients=4):
    """How many of `count` requests each instance answered; some clients at once, connections kept."""
    found: Counter[str] = Counter()
    lock = threading.Lock()

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
        mine: Counter[str] = Counter()
        for number in range(count // clients):
            connection.request("GET", f"{path}{number}")
            mine[read_reply(connection).headers["x-served-by"]] += 1
        connection.close()
        with lock:
            found.update(mine)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_round_robin_spreads_evenly_over_all_workers(upstream, discovery, open_door):
    discovery.put("orders", *(upstream() for _ in range(3)))
    found = spread(open_door(NGINX_WORKERS="2"), "/api/orders/", 3000)
    assert sum(found.values()) == 3000
    assert len(found) == 3
    assert max(found.values()) <= 0.4 * 3000


@pytest.mark.parametrize("strategy", ["least_conn", "random_two", "ip_hash", "consistent_hash", "round_robin"])
def test_the_strategy_changes_while_running(upstream, discovery, open_door, strategy):
    discovery.put("orders", *(upstream() for _ in range(3)))
    door = open_door()
    if strategy == "round_robin":
        with door.reload():
            discovery.put_pairs(balancing__orders="ip_hash")
    with door.reload():
        discovery.put_pairs(balancing__orders=strategy)
    one_path = {door.served_by("/api/orders/1") for _ in range(30)}
    assert len(one_path) == (1 if strategy in ("ip_hash", "consistent_hash") else 3)
    assert len(spread(door, "/api/orders/", 60)) == (1 if strategy == "ip_hash" else 3)


def test_a_strategy_that_does_not_exist_changes_nothing(upstream, discovery, open_door, capsys):
    discovery.put("orders", upstream())
    door = open_door()
    discovery.put_pairs(balancing__orders="by_moonlight; }", cache="-3", nonsense="1", balancing__bank="ip_hash")
    discovery.put("orders", *(upstream() for _ in range(2)))
    eventually(lambda: door.notes["reloads"] == 1)
    assert door.notes["rejected"] == 0
    ignored = [line for line in capsys.readouterr().out.splitlines() if "is ignored" in line]
    assert len(ignored) == 4


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_what_may_be_repeated_is_repeated_on_another_instance(upstream, discovery, open_door, method):
    broken, good = upstream(lambda seen: Answer(drop=True)), upstream()
    discovery.put("carts", broken, good)
    door = open_door()
    eventually(lambda: door.ask("/api/carts/mine", method).status == 200 and broken.seen)
    for _ in range(10):
        reply = door.ask("/api/carts/mine", method)
        assert (reply.status, reply.headers["x-served-by"]) == (200, str(good.port))


def test_a_post_is_sent_once(upstream, discovery, open_door):
    broken, good = upstream(lambda seen: Answer(drop=True)), upstream()
    discovery.put("carts", broken, good)
    door = open_door()

    def lost():
        return door.ask("/api/carts/mine", "POST", body=b"once").status == 503

    eventually(lost)
    replies = len(broken.seen) + len(good.seen)
    assert door.ask("/api/carts/mine", "POST", body=b"once").status in (200, 503)
    assert len(broken.seen) + len(good.seen) == replies + 1


@pytest.mark.parametrize("path", ["/api/orders", "/api/orders/17/cancellation"])
def test_a_post_to_an_idempotent_route_is_repeated(upstream, discovery, open_door, path):
    broken, good = upstream(lambda seen: Answer(drop=True)), upstream()
    discovery.put("orders", broken, good)
    door = open_door()
    for number in range(20):
        reply = door.ask(path, "POST", body=b"%d" % number)
        assert (reply.status, reply.headers["x-served-by"]) == (200, str(good.port))
    assert broken.seen
    assert [seen.body for seen in good.seen] == [b"%d" % number for number in range(20)]


@pytest.mark.parametrize("path", ["/api/orders/17", "/api/orders/17/x/cancellation"])
def test_a_post_below_an_idempotent_route_is_not(upstream, discovery, open_door, path):
    both = [upstream(lambda seen: Answer(drop=True)) for _ in range(2)]
    discovery.put("orders", *both)
    assert open_door().ask(path, "POST", body=b"1").status == 503
    assert sum(len(instance.seen) for instance in both) == 1


def test_an_instance_that_refuses_connections_costs_no_request(upstream, discovery, open_door):
    gone, good = upstream(), upstream()
    discovery.put("carts", gone, good)
    door = open_door()
    gone.close()
    assert [door.ask("/api/carts/mine", "POST", body=b"x").status for _ in range(20)] == [200] * 20


def test_a_503_of_an_instance_is_an_answer_and_does_not_count_against_it(upstream, discovery, open_door):
    busy, good = upstream(lambda seen: Answer(503)), upstream()
    discovery.put("carts", busy, good)
    door = open_door()
    for _ in range(20):
        door.ask("/api/carts/mine")
    assert len(busy.seen) == len(good.seen) == 10


@pytest.fixture
def catalog(upstream):
    """An instance whose product has a new version each time that it is asked."""
    versions = iter(range(1, 1000))

    def answer(seen):
        if seen.headers.get("if-none-match") == '"same"':
            return Answer(304, headers={"ETag": '"same"'})
        headers = {"ETag": '"same"', "Cache-Control": "max-age=600", "Vary": "Authorization"}
        return Answer(body=b'{"version": %d}' % next(versions), headers=headers)

    return upstream(answer)


def test_a_product_is_cached_with_its_instance_but_with_a_trace_of_its_own(catalog, discovery, open_door):
    discovery.put("catalog", catalog)
    door = open_door(CACHE_SECONDS="60")
    first, second = (door.ask(f"{PRODUCTS}/a", headers={"Authorization": who}) for who in ("Bearer a", "Bearer b"))
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.body == second.body
    assert first.headers["x-served-by"] == second.headers["x-served-by"] == str(catalog.port)
    traces = {reply.headers["x-trace-id"] for reply in (first, second)}
    assert len(traces) == 2 and "theirs" not in traces
    assert len(catalog.seen) == 1


def test_other_paths_and_arguments_are_other_answers(catalog, discovery, open_door):
    discovery.put("catalog", catalog)
    door = open_door(CACHE_SECONDS="60")
    paths = [
        f"{PRODUCTS}",
        f"{PRODUCTS}/",
        f"{PRODUCTS}?sku=a&sku=b",
        f"{PRODUCTS}?sku=b&sku=a",
        f"{PRODUCTS}/a%3Fsku=a",
    ]
    paths += [f"{PRODUCTS}/a?sku=a", f"{PRODUCTS}/a", f"{PRODUCTS}/A", f"{PRODUCTS}/a%20sku=a"]
    bodies = [door.ask(path).body for path in paths]
    assert len(set(bodies)) == len(paths)
    assert [door.ask(path).body for path in paths] == bodies
    assert door.ask("/api//catalog/./products").body == bodies[0]


def test_a_cached_answer_knows_head_and_conditions(catalog, discovery, open_door):
    discovery.put("catalog", catalog)
    door = open_door(CACHE_SECONDS="60")
    head = door.ask(f"{PRODUCTS}/a", "HEAD")
    full = door.ask(f"{PRODUCTS}/a")
    same = door.ask(f"{PRODUCTS}/a", headers={"If-None-Match": '"same"'})
    assert (head.status, head.body, head.headers["x-cache"]) == (200, b"", "MISS")
    assert (full.headers["x-cache"], full.headers["etag"]) == ("HIT", '"same"')
    assert (same.status, same.headers["x-cache"]) == (304, "HIT")
    assert len(catalog.seen) == 1


def test_writes_and_other_paths_of_the_catalog_are_not_cached(catalog, discovery, open_door):
    discovery.put("catalog", catalog)
    door = open_door(CACHE_SECONDS="60")
    assert "x-cache" not in door.ask("/api/catalog/openapi.json").headers
    door.ask(f"{PRODUCTS}/a", "PUT", {"If-Match": '"same"'}, b"{}")
    door.ask(f"{PRODUCTS}/a", "PUT", {"If-Match": '"same"'}, b"{}")
    puts = [seen for seen in catalog.seen if seen.method == "PUT"]
    assert [seen.headers["if-match"] for seen in puts] == ['"same"'] * 2


def test_after_its_time_the_next_visitor_gets_the_new_answer(upstream, discovery, open_door):
    versions = iter(range(1, 1000))
    discovery.put("catalog", upstream(lambda seen: Answer(body=b"%d" % next(versions))))
    door = open_door(CACHE_SECONDS="1")
    replies = [door.ask(f"{PRODUCTS}/a")]

    def changed():
        replies.append(door.ask(f"{PRODUCTS}/a"))
        return replies[-1].body != b"1"

    eventually(changed)
    assert {reply.headers["x-cache"] for reply in replies[1:-1]} <= {"HIT"}
    assert (replies[-1].body, replies[-1].headers["x-cache"]) == (b"2", "MISS")


@pytest.mark.parametrize("reason", ["deregistered", "killed", "failing"])
def test_the_old_answer_is_served_while_nobody_can_give_a_new_one(upstream, discovery, open_door, reason):
    failing = []
    catalog = upstream(lambda seen: Answer(500) if failing else Answer(body=b"good"))
    discovery.put("catalog", catalog)
    door = open_door(CACHE_SECONDS="1")
    assert door.ask(f"{PRODUCTS}/a").headers["x-cache"] == "MISS"
    failing.append(True)
    if reason == "killed":
        catalog.close()
    elif reason == "deregistered":
        discovery.put("catalog")
    stale = eventually(lambda: (reply := door.ask(f"{PRODUCTS}/a")).headers["x-cache"] == "STALE" and reply)
    assert (stale.status, stale.body, stale.headers["x-served-by"]) == (200, b"good", str(catalog.port))
    never_seen = door.ask(f"{PRODUCTS}/b")
    assert never_seen.status == (500 if reason == "failing" else 503)


def test_the_cache_is_switched_while_running(catalog, discovery, open_door):
    discovery.put("catalog", catalog)
    discovery.put_pairs(cache="off")
    door = open_door(CACHE_SECONDS="60")
    assert [door.ask(f"{PRODUCTS}/a").headers.get("x-cache") for _ in range(2)] == [None, None]
    assert len(catalog.seen) == 2
    discovery.put_pairs(cache="on")
    eventually(lambda: door.ask(f"{PRODUCTS}/a").headers.get("x-cache") == "HIT")
    discovery.put_pairs(cache="0")
    eventually(lambda: "x-cache" not in door.ask(f"{PRODUCTS}/a").headers)
    discovery.put_pairs(cache="30")
    eventually(lambda: door.ask(f"{PRODUCTS}/a").headers.get("x-cache") == "HIT")
