"""Registering: what is kept, what is replaced, and what clients may spell differently."""

import pytest

from registry.testing import eventually


def ttl(**more):
    return {"TTL": "600s", "Status": "passing"} | more


def test_a_registered_instance_is_listed_with_all_that_was_given(api):
    name = api.name()
    api.register(Name=name, ID=f"{name}-1", Address="10.0.0.1", Port=81, Tags=["a", "b"], Meta={"version": "2"})

    assert api.get("/v1/agent/services").json()[f"{name}-1"].items() >= {
        "ID": f"{name}-1", "Service": name, "Tags": ["a", "b"], "Meta": {"version": "2"}, "Port": 81,
        "Address": "10.0.0.1", "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
    }.items()  # fmt: skip
    [row] = api.health(name)
    assert row["Service"]["Address"] == "10.0.0.1"
    assert row["Service"]["Meta"] == {"version": "2"}
    assert [check["CheckID"] for check in row["Checks"]] == ["serfHealth"]
    assert row["Node"]["Address"] == "127.0.0.1"


def test_the_defaults_are_those_of_consul(api):
    name = api.name()
    api.register(Name=name)

    service = api.get(f"/v1/agent/service/{name}").json()
    assert service.pop("ContentHash")
    service.pop("Datacenter", None)
    assert service == {
        "ID": name, "Service": name, "Tags": [], "Meta": {}, "Port": 0, "Address": "",
        "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
    }  # fmt: skip
    assert api.passing(name) == [name], "an instance without checks is healthy"


def test_the_catalogue_lists_it_flat_and_by_name_with_the_union_of_tags(api):
    name = api.name()
    api.register(Name=name, ID=f"{name}-1", Tags=["a"], Port=1)
    api.register(Name=name, ID=f"{name}-2", Tags=["b"], Port=2)

    rows = api.get(f"/v1/catalog/service/{name}").json()
    assert [(row["ServiceID"], row["ServicePort"], row["ServiceTags"]) for row in rows] == [
        (f"{name}-1", 1, ["a"]),
        (f"{name}-2", 2, ["b"]),
    ]
    services = api.get("/v1/catalog/services").json()
    assert sorted(services[name]) == ["a", "b"]
    assert services["consul"] == []


def test_the_body_is_parsed_whatever_its_content_type(api):
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None):
        name = api.name()
        body = f'{{"Name": "{name}"}}'.encode()
        answer = api.call("PUT", "/v1/agent/service/register", data=body, headers={"Content-Type": content_type})
        assert answer.status_code == 200
        eventually(lambda name=name: api.health(name))


def test_keys_match_without_regard_to_case_and_in_snake_case(api):
    name = api.name()
    check = {"checkid": f"{name}-c", "ttl": "30s", "STATUS": "passing", "deregister_critical_service_after": "2m"}
    answer = api.put(
        "/v1/agent/service/register", {"name": name, "pOrT": 7, "enable_tag_override": True, "check": check}
    )

    assert answer.status_code == 200
    [row] = eventually(lambda: api.health(name))
    assert (row["Service"]["Port"], row["Service"]["EnableTagOverride"]) == (7, True)
    assert eventually(lambda: api.check(name, f"{name}-c"))["Status"] == "passing"


def test_null_means_not_given(api):
    name = api.name()
    api.register(Name=name, ID=None or name, Tags=None, Meta=None, Weights=None, Checks=[], Address=None, Port=None)

    assert api.get(f"/v1/agent/service/{name}").json()["Tags"] == []


def test_the_same_id_again_replaces_the_definition_entirely(api):
    name = api.name()
    api.register(Name=name, Tags=["old"], Meta={"old": "1"}, Port=1)
    api.register(Name=name, Port=2)

    [row] = eventually(lambda: [r for r in api.health(name) if r["Service"]["Port"] == 2])
    assert (row["Service"]["Tags"], row["Service"]["Meta"] or {}) == ([], {})
    assert len(api.health(name)) == 1


def test_another_name_moves_the_instance(api):
    old, new = api.name(), api.name()
    api.register(Name=old, ID=f"{old}-1", Check=ttl())
    api.register(Name=new, ID=f"{old}-1", Check=ttl())

    eventually(lambda: not api.health(old))
    assert [row["Service"]["ID"] for row in api.health(new)] == [f"{old}-1"]
    assert old not in api.get("/v1/catalog/services").json()


def test_checks_are_numbered_in_order_and_may_have_their_own_id(api):
    name, own_id = api.name(), api.name()
    checks = [{"TTL": "20s"}, {"TTL": "20s", "Name": "third"}, {"TTL": "20s", "CheckID": own_id}]
    api.register(Name=name, Check={"TTL": "20s", "Name": "first"}, Checks=checks)

    found = {check["CheckID"]: check["Name"] for check in api.get(f"/v1/health/checks/{name}").json()}
    assert found == {
        f"service:{name}:1": "first",
        f"service:{name}:2": f"Service '{name}' check",
        f"service:{name}:3": "third",
        own_id: f"Service '{name}' check",
    }


def test_a_check_begins_critical_unless_told_otherwise(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s"})

    check = api.check(name, f"service:{name}")
    assert (check["Status"], check["Type"], check["ServiceID"], check["ServiceName"]) == ("critical", "ttl", name, name)


def test_a_check_keeps_its_status_and_output_over_a_new_registration(api):
    name = api.name()
    api.register(Name=name, Check={"TTL": "600s"})
    api.put(f"/v1/agent/check/pass/service:{name}", note="fine")
    api.register(Name=name, Tags=["new"], Check={"TTL": "600s", "Status": "critical"})

    eventually(lambda: api.health(name)[0]["Service"]["Tags"] == ["new"])
    assert api.passing(name) == [name]
    assert api.get("/v1/agent/checks").json()[f"service:{name}"]["Output"] == "fine"


def test_checks_that_a_new_registration_leaves_out_stay_unless_replaced(api):
    name = api.name()
    api.register(Name=name, Checks=[ttl(CheckID=f"{name}-a"), ttl(CheckID=f"{name}-b")])
    api.register(Name=name, Check=ttl(CheckID=f"{name}-a"))
    assert {c["CheckID"] for c in api.get(f"/v1/health/checks/{name}").json()} == {f"{name}-a", f"{name}-b"}

    definition = {"Name": name, "Check": ttl(CheckID=f"{name}-a")}
    api.put("/v1/agent/service/register?replace-existing-checks=true", definition)
    eventually(lambda: {c["CheckID"] for c in api.get(f"/v1/health/checks/{name}").json()} == {f"{name}-a"})


def test_deregistering_removes_the_instance_with_its_checks(api):
    name = api.name()
    api.register(Name=name, Check=ttl())
    answer = api.put(f"/v1/agent/service/deregister/{name}")

    assert (answer.status_code, answer.text) == (200, "")
    eventually(lambda: api.health(name) == [])
    eventually(lambda: name not in api.get("/v1/catalog/services").json())
    assert name not in api.get("/v1/agent/services").json()
    assert f"service:{name}" not in api.get("/v1/agent/checks").json()
    assert api.put(f"/v1/agent/check/pass/service:{name}").status_code in (404, 500)


def test_deregistering_an_unknown_id_does_no_harm(api):
    assert api.put(f"/v1/agent/service/deregister/{api.name()}").status_code in (200, 404)


@pytest.mark.parametrize("path", ["a%20b%2Fc%23%C3%A9", "a%20b/c%23%C3%A9"])
def test_a_name_may_hold_spaces_slashes_and_other_letters(api, path):
    name = api.name()
    api.put("/v1/agent/service/register", {"Name": f"{name}a b/c#é"})

    [row] = eventually(lambda: api.health(f"{name}{path}"))
    assert row["Service"]["Service"] == f"{name}a b/c#é"
    assert api.put(f"/v1/agent/service/deregister/{name}{path}").status_code == 200
    eventually(lambda: api.health(f"{name}{path}") == [])


def test_weights_without_warning_have_none_for_warning(api):
    name = api.name()
    api.register(Name=name, Weights={"Passing": 5})

    assert api.get(f"/v1/agent/service/{name}").json()["Weights"] == {"Passing": 5, "Warning": 0}


def test_a_check_can_be_added_to_an_instance_and_taken_away(api):
    name, check_id = api.name(), api.name()
    api.register(Name=name)
    added = {"Name": "extra", "ID": check_id, "ServiceID": name, "TTL": "600s"}
    assert api.put("/v1/agent/check/register", added).status_code == 200
    eventually(lambda: api.passing(name) == [])
    assert api.put(f"/v1/agent/check/deregister/{check_id}").status_code == 200
    eventually(lambda: api.passing(name) == [name])
