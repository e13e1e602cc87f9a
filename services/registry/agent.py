"""The verbs: register, deregister, renew, maintain. Each is one step, seen whole or not at all."""

import logging

from registry.checks import Checker
from registry.definitions import CheckDefinition, ServiceDefinition
from registry.records import Check
from registry.store import Store
from registry.web import Refusal

# The registry lists itself under Consul's name, as an agent does; it is no instance that a client manages.
OWN_ID = "consul"
SERF = "serfHealth"
NODE_MAINTENANCE = "_node_maintenance"
NO_REASON = "Maintenance mode is enabled for this {}, but no reason was provided. This is a default message."

log = logging.getLogger("registry.agent")


class Agent:
    def __init__(self, store: Store, checker: Checker, own: ServiceDefinition) -> None:
        self._store = store
        self._checker = checker
        store.put_check(Check(SERF, "Serf Health Status", "", "passing", output="Agent alive and reachable"))
        store.put_instance(own)

    def services(self) -> dict[str, ServiceDefinition]:
        """What clients registered, by id."""
        instances = self._store.instances
        return {key: found.definition for key, found in instances.items() if key != OWN_ID}

    def service(self, service_id: str) -> ServiceDefinition | None:
        """What a client registered under that id."""
        found = self._store.instances.get(service_id)
        return found.definition if found and service_id != OWN_ID else None

    def checks(self) -> list[Check]:
        return [check for check in self._store.checks.values() if check.id != SERF]

    def register(self, definition: ServiceDefinition, replace_checks: bool) -> None:
        """Add or replace an instance. Its checks keep their status; those not named stay, unless replaced."""
        known = definition.id in self._store.instances
        instance = self._store.put_instance(definition)
        if replace_checks:
            named = {check.check_id for check in definition.checks}
            for check_id in set(instance.checks) - named:
                self.remove_check(check_id)
        for check in definition.checks:
            self._put_check(check)
        if not known:
            where = f"{definition.address}:{definition.port}"
            log.info("registered %s as %s at %s", definition.id, definition.name, where)

    def deregister(self, service_id: str) -> None:
        """Remove the instance and its checks; nothing happens for an unknown id."""
        if service_id not in self._store.instances or service_id == OWN_ID:
            return
        for check in self._store.remove_instance(service_id):
            self._checker.forget(check.id)
        log.info("deregistered %s", service_id)

    def add_check(self, definition: CheckDefinition) -> None:
        """Raises Refusal(500) for an unknown service."""
        if definition.service_id and definition.service_id not in self._store.instances:
            raise Refusal(500, f'ServiceID "{definition.service_id}" does not exist')
        self._put_check(definition)

    def remove_check(self, check_id: str) -> None:
        if check_id != SERF:
            self._checker.forget(check_id)
            self._store.remove_check(check_id)

    def renew(self, check_id: str, status: str, output: str) -> None:
        """A TTL check reports. Raises Refusal(500) when there is no such check."""
        check = self._store.checks.get(check_id)
        if not check or check.kind != "ttl":
            raise Refusal(500, f'CheckID "{check_id}" does not have associated TTL')
        self._checker.renew(check, status, output)

    def maintain_service(self, service_id: str, enable: bool, reason: str) -> None:
        """Raises Refusal(404) for an unknown service."""
        if service_id not in self._store.instances:
            raise Refusal(404, f'No service registered with ID "{service_id}"')
        check_id = f"_service_maintenance:{service_id}"
        self._maintain(check_id, "Service Maintenance Mode", "service", service_id, enable, reason)

    def maintain_node(self, enable: bool, reason: str) -> None:
        self._maintain(NODE_MAINTENANCE, "Node Maintenance Mode", "node", "", enable, reason)

    def _maintain(self, check_id: str, name: str, what: str, service_id: str, on: bool, reason: str) -> None:
        if not on:
            self.remove_check(check_id)
        elif check_id not in self._store.checks:
            notes = reason or NO_REASON.format(what)
            self._store.put_check(Check(check_id, name, "maintenance", notes=notes, service_id=service_id))
            log.info("%s: maintenance on", service_id or "node")

    def _put_check(self, definition: CheckDefinition) -> None:
        check = Check(
            definition.check_id,
            definition.name,
            definition.kind,
            definition.status or "critical",
            definition.notes,
            service_id=definition.service_id,
            definition=definition,
        )
        self._store.put_check(check)
        self._checker.watch(check)
