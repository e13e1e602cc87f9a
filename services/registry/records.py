"""What the store keeps: a check, an instance, and all instances of one name."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from registry.definitions import CheckDefinition, ServiceDefinition


@dataclass(slots=True, eq=False)
class Check:
    """`kind` is ttl, http, tcp, maintenance or "" (the node's own). `critical_since`: monotonic seconds."""

    id: str
    name: str
    kind: str
    status: str = "critical"
    notes: str = ""
    output: str = ""
    service_id: str = ""
    service_name: str = ""
    service_tags: tuple[str, ...] = ()
    definition: CheckDefinition = field(default_factory=CheckDefinition)
    critical_since: float | None = None
    create_index: int = 0
    modify_index: int = 0

    def shown(self) -> tuple[object, ...]:
        """What readers see, less the status and output that a check keeps over a new registration."""
        return self.name, self.kind, self.notes, self.service_id, self.service_name, self.service_tags


@dataclass(slots=True, eq=False)
class Instance:
    """`rendered` is its part of a health answer, kept until it or one of its checks changes."""

    definition: ServiceDefinition
    create_index: int
    modify_index: int
    checks: dict[str, Check] = field(default_factory=dict)
    rendered: bytes | None = None

    def sorted_checks(self) -> list[Check]:
        return [self.checks[key] for key in sorted(self.checks)]


@dataclass(slots=True, eq=False)
class Service:
    """All instances of one name. `answers` are finished bodies, kept until something covered changes."""

    instances: dict[str, Instance] = field(default_factory=dict)
    catalog_index: int = 0
    health_index: int = 0
    answers: dict[Hashable, bytes] = field(default_factory=dict)

    def sorted(self) -> list[Instance]:
        return [self.instances[key] for key in sorted(self.instances)]
