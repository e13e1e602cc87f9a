"""What is known: instances, checks, and for each thing that can be watched its index.

One counter numbers all changes; each reading has the number of the last change to what it covers. Every
method is one step: none of them waits, so no other greenlet ever sees half a change.
"""

from collections.abc import Hashable, Iterable

from registry.blocking import Watches
from registry.definitions import ServiceDefinition
from registry.records import Check, Instance, Service


class Store:
    def __init__(self, watches: Watches) -> None:
        self._watches = watches
        self.index = 1
        self.services_index = 1
        self.checks_index = 1
        self.last_extinction = 1  # the index of every name that does not exist
        self.instances: dict[str, Instance] = {}
        self.services: dict[str, Service] = {}
        self.checks: dict[str, Check] = {}
        self.node_checks: dict[str, Check] = {}
        # Finished bodies over all services and over all checks, kept until something in them changes.
        self.names: dict[Hashable, bytes] = {}
        self.states: dict[Hashable, bytes] = {}

    def health_index(self, name: str) -> int:
        service = self.services.get(name)
        return service.health_index if service else self.last_extinction

    def catalog_index(self, name: str) -> int:
        service = self.services.get(name)
        return service.catalog_index if service else self.last_extinction

    def sorted_checks(self) -> list[Check]:
        return [self.checks[key] for key in sorted(self.checks)]

    def put_instance(self, definition: ServiceDefinition) -> Instance:
        """Add or replace; exactly the same again changes nothing."""
        instance = self.instances.get(definition.id)
        if instance and instance.definition == definition:
            return instance
        index = self._next()
        if instance and instance.definition.name != definition.name:
            self._leave(instance, index)
        if instance:
            instance.definition, instance.modify_index = definition, index
        else:
            instance = self.instances[definition.id] = Instance(definition, index, index)
        service = self.services.setdefault(definition.name, Service())
        service.instances[definition.id] = instance
        self._registration_changed(definition.name, index)
        for check in instance.checks.values():
            before = check.shown()
            self._describe(check, instance)
            if before != check.shown():
                check.modify_index = index
                self._checks_changed(index)
        instance.rendered = None
        return instance

    def remove_instance(self, service_id: str) -> list[Check]:
        """Remove it with its checks, which are returned; nothing happens for an unknown id."""
        instance = self.instances.pop(service_id, None)
        if not instance:
            return []
        index = self._next()
        for check_id in instance.checks:
            del self.checks[check_id]
        self._leave(instance, index)
        self._checks_changed(index)
        return list(instance.checks.values())

    def put_check(self, check: Check) -> None:
        """Add, or replace the one with the same id, whose status and output then stay."""
        old = self.checks.get(check.id)
        if old:
            check.status, check.output, check.critical_since = old.status, old.output, old.critical_since
            check.create_index, check.modify_index = old.create_index, old.modify_index
        instance = self.instances.get(check.service_id)
        if instance:
            self._describe(check, instance)
        if old and old.service_id != check.service_id:
            self.remove_check(old.id)
        self.checks[check.id] = check
        (instance.checks if instance else self.node_checks)[check.id] = check
        if not old or old.shown() != check.shown():
            self._check_changed(check)

    def remove_check(self, check_id: str) -> Check | None:
        check = self.checks.pop(check_id, None)
        if check:
            instance = self.instances.get(check.service_id)
            del (instance.checks if instance else self.node_checks)[check_id]
            self._check_changed(check)
        return check

    def set_status(self, check: Check, status: str, output: str) -> bool:
        """True when the status changed. Another output alone is shown to later readers and wakes nobody."""
        if check.output != output:
            check.output = output
            self._forget_rendered(check)
        if check.status == status:
            return False
        check.status = status
        self._check_changed(check)
        return True

    def _next(self) -> int:
        self.index += 1
        return self.index

    def _describe(self, check: Check, instance: Instance) -> None:
        check.service_name = instance.definition.name
        check.service_tags = tuple(instance.definition.tags)

    def _leave(self, instance: Instance, index: int) -> None:
        """Take the instance out of its service, which is gone with its last instance."""
        name = instance.definition.name
        service = self.services[name]
        del service.instances[instance.definition.id]
        self._registration_changed(name, index)
        if not service.instances:
            del self.services[name]
            self.last_extinction = index

    def _registration_changed(self, name: str, index: int) -> None:
        service = self.services[name]
        service.catalog_index = service.health_index = self.services_index = index
        service.answers.clear()
        self.names.clear()
        self._wake(("catalog", name), ("health", name), "services")

    def _check_changed(self, check: Check) -> None:
        check.modify_index = index = self._next()
        check.create_index = check.create_index or index
        self._forget_rendered(check)
        self._checks_changed(index)
        for name in [check.service_name] if check.service_id else list(self.services):
            if service := self.services.get(name):
                service.health_index = index
                self._wake(("health", name))

    def _checks_changed(self, index: int) -> None:
        self.checks_index = index
        self.states.clear()
        self._wake("checks")

    def _forget_rendered(self, check: Check) -> None:
        """A check of the node is shown with every instance."""
        self.states.clear()
        ids: Iterable[str] = [check.service_id] if check.service_id else list(self.instances)
        for service_id in ids:
            if instance := self.instances.get(service_id):
                instance.rendered = None
                self.services[instance.definition.name].answers.clear()

    def _wake(self, *topics: Hashable) -> None:
        for topic in topics:
            self._watches.wake(topic)
