"""Key-value pairs."""

import base64

import pytest

from registry.testing import eventually


def put(api, key, value=b"", **query):
    answer = api.call("PUT", f"/v1/kv/{key}", data=value, params=query)
    assert answer.status_code == 200
    return answer.json()


def entry(api, key):
    [found] = api.get(f"/v1/kv/{key}").json()
    return found


def test_a_value_comes_back_as_base64_and_raw(api):
    key, value = f"{api.name()}/deep/key", bytes(range(256))
    assert put(api, key, value, flags=2**64 - 1) is True

    found = entry(api, key)
    assert found == {
        "LockIndex": 0, "Key": key, "Flags": 2**64 - 1, "Value": base64.b64encode(value).decode(),
        "CreateIndex": found["ModifyIndex"], "ModifyIndex": api.index(f"/v1/kv/{key}"),
    }  # fmt: skip
    raw = api.get(f"/v1/kv/{key}?raw")
    assert raw.content == value
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert raw.headers["X-Content-Type-Options"] == "nosniff"
    assert raw.headers["Content-Security-Policy"] == "sandbox"


def test_an_empty_value_is_null_and_a_new_value_resets_the_flags(api):
    key = api.name()
    put(api, key, b"x", flags=7)
    put(api, key, b"")

    assert (entry(api, key)["Value"], entry(api, key)["Flags"]) == (None, 0)


@pytest.mark.parametrize("query", ["", "?raw", "?recurse", "?keys"])
def test_a_missing_key_is_404_without_a_body_but_with_an_index(api, query):
    answer = api.get(f"/v1/kv/{api.name()}{query}")

    assert (answer.status_code, answer.content) == (404, b"")
    assert int(answer.headers["X-Consul-Index"]) >= 1


def test_prefixes_list_pairs_and_folded_keys_in_order(api):
    root = api.name()
    for key in ("b/c", "a", "b/d", "b!"):
        put(api, f"{root}/{key}", key.encode())

    pairs = api.get(f"/v1/kv/{root}/?recurse").json()
    assert [pair["Key"] for pair in pairs] == [f"{root}/{key}" for key in ("a", "b!", "b/c", "b/d")]
    assert api.get(f"/v1/kv/{root}/b?keys").json() == [f"{root}/b!", f"{root}/b/c", f"{root}/b/d"]
    assert api.get(f"/v1/kv/{root}/?keys&separator=/").json() == [f"{root}/a", f"{root}/b!", f"{root}/b/"]
    assert api.index(f"/v1/kv/{root}/?recurse") == max(pair["ModifyIndex"] for pair in pairs)


def test_check_and_set_creates_only_once_and_replaces_only_what_was_read(api):
    key = api.name()
    assert put(api, key, b"lost", cas=5) is False, "nothing to replace"
    assert put(api, key, b"1", cas=0) is True
    assert put(api, key, b"lost", cas=0) is False
    seen = entry(api, key)["ModifyIndex"]
    assert put(api, key, b"2", cas=seen) is True
    assert put(api, key, b"lost", cas=seen) is False
    assert api.get(f"/v1/kv/{key}?raw").content == b"2"


def test_deleting_needs_the_right_index_if_one_is_given(api):
    key = api.name()
    put(api, key, b"1")
    for cas in (0, 1):
        assert api.call("DELETE", f"/v1/kv/{key}?cas={cas}").json() is False
    assert api.call("DELETE", f"/v1/kv/{key}?cas={entry(api, key)['ModifyIndex']}").json() is True
    assert api.get(f"/v1/kv/{key}").status_code == 404
    assert api.call("DELETE", f"/v1/kv/{key}").json() is True, "deleting what is not there is no failure"


def test_deleting_a_prefix_leaves_its_neighbours(api):
    root = api.name()
    for key in ("a/1", "a/2", "b"):
        put(api, f"{root}/{key}", b"x")
    assert api.call("DELETE", f"/v1/kv/{root}/a/?recurse").json() is True
    assert api.get(f"/v1/kv/{root}/?keys").json() == [f"{root}/b"]


def test_a_key_may_hold_any_letter(api):
    key = f"{api.name()}/a b%2Fc%25%C3%A9"
    put(api, key, b"x")
    assert entry(api, key)["Key"].endswith("/a b/c%é")


def test_the_same_value_again_moves_no_index(api):
    key = api.name()
    put(api, key, b"same")
    before = entry(api, key)
    assert put(api, key, b"same") is True
    assert put(api, key, b"same", cas=before["ModifyIndex"]) is True
    assert entry(api, key) == before


def test_a_watcher_of_a_key_is_woken_by_its_creation_change_and_removal(api):
    key = api.name()
    watcher = api.watch(f"/v1/kv/{key}?raw")
    put(api, key, b"1")
    # While the key is missing its index is the store's, so any write may wake: ask again until it is there.
    watcher.result()
    assert eventually(lambda: api.get(f"/v1/kv/{key}?raw").content) == b"1"

    watcher = api.watch(f"/v1/kv/{key}?raw")
    put(api, key, b"2")
    assert watcher.result().content == b"2"
    watcher = api.watch(f"/v1/kv/{key}?raw")
    api.call("DELETE", f"/v1/kv/{key}")
    assert watcher.result().status_code == 404


def test_a_watcher_of_a_prefix_is_woken_by_a_removal_too(api):
    root = api.name()
    put(api, f"{root}/1", b"x")
    put(api, f"{root}/2", b"x")
    for change in (lambda: api.call("DELETE", f"/v1/kv/{root}/1"), lambda: put(api, f"{root}/3", b"x")):
        watcher = api.watch(f"/v1/kv/{root}/?keys")
        before = api.index(f"/v1/kv/{root}/?keys")
        change()
        assert int(watcher.result().headers["X-Consul-Index"]) > before


def test_other_keys_and_services_do_not_wake_the_watcher_of_a_key(api):
    key = api.name()
    put(api, key, b"x")
    index = api.index(f"/v1/kv/{key}")
    watcher = api.watch(f"/v1/kv/{key}", index=index, wait="700ms")
    put(api, f"{key}-other", b"x")
    api.put("/v1/agent/service/register", {"Name": key})

    assert int(watcher.result().headers["X-Consul-Index"]) == index


def test_a_value_may_have_512_kib_and_no_more(api):
    key = api.name()
    put(api, key, b"x" * 512 * 1024)
    assert api.call("PUT", f"/v1/kv/{key}", data=b"x" * (512 * 1024 + 1)).status_code == 413
    assert len(api.get(f"/v1/kv/{key}?raw").content) == 512 * 1024


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/kv/"),
        ("PUT", "/v1/kv/"),
        ("DELETE", "/v1/kv/"),
        ("DELETE", "/v1/kv/k?recurse&cas=1"),
        ("PUT", "/v1/kv/k?cas=1&acquire=x"),
    ],
)
def test_requests_that_make_no_sense_are_refused(api, method, path):
    answer = api.call(method, path, data=b"x")

    assert answer.status_code == 400
    assert answer.text
