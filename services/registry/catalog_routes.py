"""Readings of the catalogue: who is there, and who is healthy."""

from collections.abc import Callable, Hashable

from registry.blocking import Watches
from registry.definitions import STATES
from registry.reading import accept, indexed, json_reply
from registry.records import Check, Instance, Service
from registry.shapes import DATACENTER, Node, catalog_service, check_shape, health_service, to_json
from registry.store import Store
from registry.web import Refusal, Reply, Request

TRUE = ("", "1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
EMPTY = Reply(b"[]", "application/json")
MAX_KEPT = 64  # of one service; somebody who makes up tags must not fill the memory


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
        body = lambda service: self._instances(service, passing, tags, self._rendered)  # noqa: E731
        return self._of_service(request, name, "health", ("health", passing, tags), body)

    def service(self, request: Request) -> Reply:
        name = named(request, "Missing service name")
        tags = wanted_tags(request)
        body = lambda service: self._instances(service, False, tags, self._catalog_entry)  # noqa: E731
        return self._of_service(request, name, "catalog", ("catalog", tags), body)

    def health_checks(self, request: Request) -> Reply:
        name = named(request, "Missing service name")
        return self._of_service(request, name, "health", "checks", lambda service: self._checks(checks_of(service)))

    def health_state(self, request: Request) -> Reply:
        state = named(request, "Missing check state")
        return self._of_checks(request, state if state in ("any", *STATES) else "")

    def health_node(self, request: Request) -> Reply:
        name = named(request, "Missing node name")
        return self._of_checks(request, "any" if name == self._node.name else "")

    def services(self, request: Request) -> Reply:
        def body() -> bytes:
            tags: dict[str, dict[str, None]] = {name: {} for name in sorted(self._store.services)}
            for instance in self._store.instances.values():
                tags[instance.definition.name].update(dict.fromkeys(instance.definition.tags))
            return to_json({name: list(found) for name, found in tags.items()})

        answer = lambda: kept(self._store.names, "tags", body)  # noqa: E731
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

    def _of_service(
        self, request: Request, name: str, kind: str, key: Hashable, body: Callable[[Service], bytes]
    ) -> Reply:
        """What there is of one name, by its health or its catalogue index; an unknown name is an empty list."""
        index = self._store.health_index if kind == "health" else self._store.catalog_index

        def answer() -> Reply:
            service = self._store.services.get(name)
            return kept(service.answers, key, lambda: body(service)) if service else EMPTY

        return self._indexed(request, (kind, name), lambda: index(name), answer)

    def _of_checks(self, request: Request, state: str) -> Reply:
        """All checks in that state, or in `any`; none for ""."""

        def body() -> bytes:
            found = self._store.sorted_checks()
            return self._checks([check for check in found if state in ("any", check.status)])

        answer = lambda: kept(self._store.states, state, body) if state else EMPTY  # noqa: E731
        return self._indexed(request, "checks", lambda: self._store.checks_index, answer)

    def _instances(
        self, service: Service, passing: bool, tags: tuple[str, ...], render: Callable[[Instance], bytes]
    ) -> bytes:
        """The service's instances, ordered by id."""
        chosen = [found for found in service.sorted() if self._fits(found, passing, tags)]
        return b"[" + b",".join(map(render, chosen)) + b"]"

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

    def _checks(self, checks: list[Check]) -> bytes:
        return to_json([check_shape(check, self._node.name) for check in checks])


def checks_of(service: Service) -> list[Check]:
    return [check for found in service.sorted() for check in found.sorted_checks()]


def kept(answers: dict[Hashable, bytes], key: Hashable, render: Callable[[], bytes]) -> Reply:
    """The body, rendered once and shared by all who ask, until the store forgets it because its content changed."""
    body = answers.get(key)
    if body is None:
        body = render()
        if len(answers) < MAX_KEPT:
            answers[key] = body
    return Reply(body, "application/json")


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
