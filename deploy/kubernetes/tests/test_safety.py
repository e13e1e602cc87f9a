"""What every pod keeps to, and who may talk to whom."""

import pytest

from deploy.checks.kubernetes import FOLDER

OUTSIDE, DNS = {"from": "outside"}, {"k8s-app": "kube-dns"}


def containers(pod):
    return [*pod["containers"], *pod.get("initContainers", [])]


def test_pods_run_with_as_few_rights_as_possible(objects):
    for where, _, pod in objects.pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"], where
        assert context["runAsUser"] > 0, where
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert pod["automountServiceAccountToken"] is False, where
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }, where  # fmt: skip


def test_no_pod_gets_variables_that_it_would_take_for_settings(objects):
    assert all(pod["enableServiceLinks"] is False for _, _, pod in objects.pods())


def test_pods_say_what_they_need_and_are_bounded(objects):
    for where, _, pod in objects.pods():
        for container in containers(pod):
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            assert "memory" in container["resources"]["limits"], where
        assert all("sizeLimit" in one["emptyDir"] for one in pod.get("volumes", []) if "emptyDir" in one), where


def test_what_is_mounted_is_there(objects):
    for where, _, pod in objects.pods():
        claims = ["data"] if where.startswith("StatefulSet") else []
        volumes = [*claims, *(volume["name"] for volume in pod.get("volumes", []))]
        for container in containers(pod):
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes), where


def test_replicas_are_spread_and_not_all_taken_at_once(objects):
    for name, deployment in objects.of("Deployment").items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        budget = objects.of("PodDisruptionBudget")[name]["spec"]
        assert budget["maxUnavailable"] == 1
        for selector in [budget["selector"], *(one["labelSelector"] for one in spread), deployment["spec"]["selector"]]:
            assert selector["matchLabels"]["app"] == name
            assert selector["matchLabels"].items() <= labels.items()


def test_a_service_leads_to_its_own_pods_alone(objects):
    for name, service in objects.of("Service").items():
        selector = service["spec"]["selector"]
        selected = [where for where, labels, _ in objects.pods() if selector.items() <= labels.items()]
        assert selected == [f"StatefulSet {name[:-3]}" if name.endswith("-rw") else f"Deployment {name}"]


def test_the_namespace_enforces_it():
    assert "pod-security.kubernetes.io/enforce: restricted" in (FOLDER / "base" / "namespace.yaml").read_text()


# --- who may talk to whom


def matches(selector, labels):
    for rule in selector.get("matchExpressions", []):
        found = labels.get(rule["key"]) in rule["values"]
        if found != (rule["operator"] == "In"):
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer, labels):
    """Whether a rule means this pod. Of other namespaces only that of DNS matters here."""
    if labels is OUTSIDE or ("namespaceSelector" in peer) != (labels is DNS):
        return False
    return matches(peer.get("podSelector", {}), labels)


def allows(policies, direction, here, there, port):
    """Whether the policies of `here` let it send to (egress) or be reached by (ingress) `there`."""
    mine = [one["spec"] for one in policies if matches(one["spec"]["podSelector"], here)]
    mine = [one for one in mine if direction.capitalize() in one["policyTypes"]]
    side = {"ingress": "from", "egress": "to"}[direction]
    for rule in (rule for policy in mine for rule in policy.get(direction, [])):
        peers = rule.get(side)
        if (peers is None or any(is_peer(peer, there) for peer in peers)) and any(
            one["port"] == port for one in rule["ports"]
        ):
            return True
    return not mine


@pytest.fixture
def may(objects):
    return may_in(objects)


@pytest.fixture
def may_in_production(production):
    return may_in(production)


def may_in(objects):
    """may("orders", "catalog", 8000): whether a pod may open a connection to another one."""
    policies = objects.of("NetworkPolicy").values()
    pods = {where: labels for where, labels, _ in objects.pods()}
    named = {name: pods[f"Deployment {name}"] for name in objects.of("Deployment")}
    named |= {f"{name}'s job": pods[f"Job {name}"] for name in objects.of("Job")}
    named |= {"postgres": {"app": "postgres", "souk/role": "database"}, "outside": OUTSIDE, "dns": DNS}
    named["rabbitmq"] = {"souk/role": "broker"}

    def ask(source, target, port):
        from_here, to_there = named[source], named[target]
        goes = from_here is OUTSIDE or allows(policies, "egress", from_here, to_there, port)
        return goes and (to_there is DNS or allows(policies, "ingress", to_there, from_here, port))

    return ask


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("outside", "gateway", 8080), ("gateway", "orders", 8000), ("gateway", "storefront", 8000),
        ("orders", "catalog", 8000), ("orders", "inventory", 8000), ("payments", "bank", 8000),
        ("storefront", "accounts", 8000), ("orders", "postgres", 5432), ("bank", "postgres", 5432),
        ("orders's job", "postgres", 5432), ("orders", "dns", 53), ("orders's job", "dns", 53), ("gateway", "dns", 53),
    ],
)  # fmt: skip
def test_who_needs_it_may(may, source, target, port):
    assert may(source, target, port)


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("outside", "orders", 8000), ("outside", "postgres", 5432), ("outside", "bank", 8000),
        ("gateway", "bank", 8000), ("orders", "bank", 8000), ("bank", "orders", 8000), ("gateway", "postgres", 5432),
        ("storefront", "postgres", 5432), ("orders's job", "catalog", 8000), ("orders", "gateway", 8080),
    ],
)  # fmt: skip
def test_nobody_else_may(may, source, target, port):
    assert not may(source, target, port)


@pytest.mark.parametrize("source", ["orders", "notifications", "catalog"])
def test_in_production_services_with_events_reach_the_broker(may_in_production, source):
    assert may_in_production(source, "rabbitmq", 5672)


@pytest.mark.parametrize(
    ("source", "port"),
    [
        ("bank", 5672),
        ("storefront", 5672),
        ("gateway", 5672),
        ("outside", 5672),
        ("orders", 15672),
        ("orders's job", 5672),
    ],
)
def test_nobody_else_reaches_the_broker(may_in_production, source, port):
    assert not may_in_production(source, "rabbitmq", port)


def test_the_brokers_nodes_reach_each_other(may_in_production):
    assert may_in_production("rabbitmq", "rabbitmq", 25672)
    assert may_in_production("rabbitmq", "rabbitmq", 4369)
    assert not may_in_production("rabbitmq", "postgres", 5432)
