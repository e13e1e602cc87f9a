"""Readings of the catalogue: who is there, and who is healthy."""

from collections.abc import Callable, Hashable

from registry.blocking import Watches
from registry.reading import accept, indexed, json_reply
from registry.records import Check, Instance
from registry.shapes import DATACENTER, Node, catalog_service, check_shape, health_service, to_json
from registry.store import Store
from registry.web import Refusal, Reply, Request

TRUE = ("", "1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")


class CatalogRoutes:
    def __init__(self, store: Store, watches: Watches, node: Node) -> None:
        self._store = store
        self._watches = watches
        self._node = node
        self._shape = node.shape()

    def health_service(self, request: Request) -> Reply:
        name = named(request, "Missing service name")
        passing = wants_passing(request)
        tags = wanted_tags(request)
        index = lambda: self._store.health_index(name)  # noqa: E731
        answer = lambda: self._list(name, ("health", passing, tags), passing, tags, self._rendered)  # noqa: E731
        return self._indexed(request, ("health", name), index, answer)

    def service(self, request: Request) -> Reply:
        name = named(request, "Missing service name")
        tags = wanted_tags(request)
        index = lambda: self._store.catalog_index(name)  # noqa: E731
        answer = lambda: self._list(name, ("catalog", tags), False, tags, self._catalog_entry)  # noqa: E731
        return self._indexed(request, ("catalog", name), index, answer)

    def health_checks(self, request: Request) -> Reply:
        name = named(request, "Missing service name")
        index = lambda: self._store.health_index(name)  # noqa: E731
        return self._indexed(request, ("health", name), index, lambda: self._checks(self._checks_of(name)))

    def health_state(self, request: Request) -> Reply:
        state = named(request, "Missing check state")

        def answer() -> Reply:
            found = self._store.sorted_checks()
            return self._checks([check for check in found if state in ("any", check.status)])

        return self._indexed(request, "checks", lambda: self._store.checks_index, answer)

    def health_node(self, request: Request) -> Reply:
        name = named(request, "Missing node name")

        def answer() -> Reply:
            return self._checks(self._store.sorted_checks() if name == self._node.name else [])

        return self._indexed(request, "checks", lambda: self._store.checks_index, answer)

    def services(self, request: Request) -> Reply:
        def answer() -> Reply:
            tags: dict[str, dict[str, None]] = {name: {} for name in sorted(self._store.services)}
            for instance in self._store.instances.values():
                tags[instance.definition.name].update(dict.fromkeys(instance.definition.tags))
            return json_reply({name: list(found) for name, found in tags.items()})

        return self._indexed(request, "services", lambda: self._store.services_index, answer)

    def nodes(self, request: Request) -> Reply:
        return self._indexed(request, "nodes", lambda: 1, lambda: json_reply([self._shape]))

    def node(self, request: Request) -> Reply:
        name = named(request, "Missing node name")

        def answer() -> Reply:
            if name != self._node.name:
                return json_reply(None)
            services = {key: health_service(found) for key, found in self._store.instances.items()}
            return json_reply({"Node": self._shape, "Services": services})

        return self._indexed(request, "services", lambda: self._store.services_index, answer)

    def datacenters(self, _request: Request) -> Reply:
        return json_reply([DATACENTER])

    def leader(self, request: Request) -> Reply:
        accept(request)
        return json_reply(self._node.leader)

    def peers(self, request: Request) -> Reply:
        accept(request)
        return json_reply([self._node.leader])

    def _indexed(
        self, request: Request, topic: Hashable, index: Callable[[], int], answer: Callable[[], Reply]
    ) -> Reply:
        return indexed(self._watches, request, lambda: topic, index, answer)

    def _list(
        self,
        name: str,
        key: Hashable,
        passing: bool,
        tags: tuple[str, ...],
        render: Callable[[Instance], bytes],
    ) -> Reply:
        """The service's instances, ordered by id. The body is kept: a thousand watchers share one."""
        service = self._store.services.get(name)
        if not service:
            return Reply(b"[]", "application/json")
        body = service.answers.get(key)
        if body is None:
            chosen = [found for found in service.sorted() if self._fits(found, passing, tags)]
            body = b"[" + b",".join(map(render, chosen)) + b"]"
            service.answers[key] = body
        return Reply(body, "application/json")

    def _fits(self, instance: Instance, passing: bool, tags: tuple[str, ...]) -> bool:
        if tags and not set(tags) <= {tag.lower() for tag in instance.definition.tags}:
            return False
        return not passing or all(check.status == "passing" for check in self._all_checks(instance))

    def _rendered(self, instance: Instance) -> bytes:
        if instance.rendered is None:
            checks = [check_shape(check, self._node.name) for check in self._all_checks(instance)]
            shape = {"Node": self._shape, "Service": health_service(instance), "Checks": checks}
            instance.rendered = to_json(shape)
        return instance.rendered

    def _catalog_entry(self, instance: Instance) -> bytes:
        return to_json(catalog_service(instance, self._shape))

    def _all_checks(self, instance: Instance) -> list[Check]:
        """The node's checks come first: clients look for serfHealth there."""
        return [*self._store.node_checks.values(), *instance.sorted_checks()]

    def _checks_of(self, name: str) -> list[Check]:
        service = self._store.services.get(name)
        return [check for found in service.sorted() for check in found.sorted_checks()] if service else []

    def _checks(self, checks: list[Check]) -> Reply:
        return json_reply([check_shape(check, self._node.name) for check in checks])


def named(request: Request, missing: str) -> str:
    if not request.tail:
        raise Refusal(400, missing)
    return request.tail


def wants_passing(request: Request) -> bool:
    """`?passing` filters, also as `=1` or `=true`. Raises Refusal(400) for what is no truth value."""
    value = request.query.get("passing")
    if value is None or value in FALSE:
        return False
    if value not in TRUE:
        raise Refusal(400, "Invalid value for ?passing")
    return True


def wanted_tags(request: Request) -> tuple[str, ...]:
    """`?tag=` as often as given, compared without regard to case."""
    return tuple(tag.lower() for tag in request.all("tag")) if "tag" in request.query else ()
