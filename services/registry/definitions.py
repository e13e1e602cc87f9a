"""What a client may register: the fields, their defaults and the rules over them."""

import re
from dataclasses import dataclass, field
from typing import Any

from registry.decoding import (
    as_flag,
    as_seconds,
    as_text,
    as_whole,
    fields,
    ignored,
    left_out,
    list_of,
    load,
    map_of,
    members,
)
from registry.web import Refusal

META_KEY = re.compile(r"[A-Za-z0-9_-]+")
STATES = ("passing", "warning", "critical")


@dataclass(slots=True)
class CheckDefinition:
    check_id: str = ""
    name: str = ""
    status: str = ""
    notes: str = ""
    service_id: str = ""
    ttl: float = 0.0
    interval: float = 0.0
    timeout: float = 0.0
    http: str = ""
    tcp: str = ""
    method: str = ""
    body: str = ""
    header: dict[str, list[str]] = field(default_factory=dict)
    tls_skip_verify: bool = False
    deregister_after: float = 0.0

    @property
    def kind(self) -> str:
        return "http" if self.http else "tcp" if self.tcp else "ttl"


@dataclass(slots=True)
class ServiceDefinition:
    name: str = ""
    id: str = ""
    tags: list[str] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    port: int = 0
    address: str = ""
    weights: tuple[int, int] = (1, 1)
    enable_tag_override: bool = False
    tagged_addresses: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Not compared: checks have a life of their own, and the same instance with another check is the same.
    check: CheckDefinition | None = field(default=None, compare=False)
    checks: list[CheckDefinition] = field(default_factory=list, compare=False)


def read_service(body: bytes) -> ServiceDefinition:
    """A registration; its checks, in order and with their ids, are in `checks`. Raises Refusal(400)."""
    service = ServiceDefinition(**members(load(body), SERVICE))
    if not service.name:
        raise Refusal(400, "Missing service name")
    if service.address in ("0.0.0.0", "::", "[::]"):  # nosec B104 # an address to compare with
        raise Refusal(400, "Invalid service address")
    for key, value in service.meta.items():
        if not META_KEY.fullmatch(key):
            reason = "Key contains invalid characters" if key else "Key cannot be blank"
            raise Refusal(400, f"Invalid Service Meta: Couldn't load metadata pair ('{key}', '{value}'): {reason}")
    if service.weights[0] < 1:
        raise Refusal(400, "Invalid Weights: Passing must be greater than 0")
    if service.weights[1] < 0:
        raise Refusal(400, "Invalid Weights: Warning must be greater or equal than 0")
    service.id = service.id or service.name
    if service.check and service.check != CheckDefinition():
        service.checks.insert(0, service.check)
    for number, check in enumerate(service.checks, 1):
        _validate(check)
        if check.status not in ("", *STATES):
            raise Refusal(400, "Status for checks must 'passing', 'warning', 'critical'")
        suffix = f":{number}" if len(service.checks) > 1 else ""
        check.check_id = check.check_id or f"service:{service.id}{suffix}"
        check.name = check.name or f"Service '{service.name}' check"
        check.service_id = service.id
    return service


def read_check(body: bytes) -> CheckDefinition:
    """A check that is registered by itself. Raises Refusal(400)."""
    check = CheckDefinition(**members(load(body), CHECK))
    if not check.name:
        raise Refusal(400, "Missing check name")
    if check.status not in ("", *STATES):
        raise Refusal(400, "Bad check status")
    _validate(check)
    check.check_id = check.check_id or check.name
    return check


def read_update(body: bytes) -> tuple[str, str]:
    """The status and output of a TTL check's update. Raises Refusal(400)."""
    update = members(load(body), UPDATE)
    if update.get("status") not in STATES:
        raise Refusal(400, f"Invalid check status: '{update.get('status', '')}'")
    return update["status"], update.get("output", "")


def _validate(check: CheckDefinition) -> None:
    if check.interval > 0 and check.ttl > 0:
        raise Refusal(400, "Invalid check: Interval and TTL cannot both be specified")
    if check.kind != "ttl" and check.interval <= 0:
        raise Refusal(400, "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks")
    if check.kind == "ttl" and check.ttl <= 0:
        raise Refusal(400, "Invalid check: TTL must be > 0 for TTL checks")


def _weights(value: Any, where: str) -> tuple[int, int]:
    given = members(value, {"passing": ("passing", as_whole), "warning": ("warning", as_whole)}, where)
    return given.get("passing", 0), given.get("warning", 0)


def _address(value: Any, where: str) -> dict[str, Any]:
    given = members(value, {"address": ("Address", as_text), "port": ("Port", as_whole)}, where)
    return {"Address": "", "Port": 0} | given


def _check(value: Any, where: str) -> CheckDefinition:
    return CheckDefinition(**members(value, CHECK, where))


CHECK = fields(
    ("CheckID check_id ID", "check_id", as_text),
    ("Name", "name", as_text),
    ("Status", "status", as_text),
    ("Notes", "notes", as_text),
    ("ServiceID service_id", "service_id", as_text),
    ("TTL", "ttl", as_seconds),
    ("Interval", "interval", as_seconds),
    ("Timeout", "timeout", as_seconds),
    ("HTTP", "http", as_text),
    ("TCP", "tcp", as_text),
    ("Method", "method", as_text),
    ("Body", "body", as_text),
    ("Header", "header", map_of(list_of(as_text))),
    ("TLSSkipVerify tls_skip_verify", "tls_skip_verify", as_flag),
    ("DeregisterCriticalServiceAfter deregister_critical_service_after", "deregister_after", as_seconds),
    ("Token Namespace Partition OutputMaxSize", "", ignored),
    ("Args ScriptArgs script_args Shell DockerContainerID docker_container_id", "", left_out),
    ("GRPC GRPCUseTLS AliasNode alias_node AliasService alias_service", "", left_out),
    ("SuccessBeforePassing FailuresBeforeCritical FailuresBeforeWarning", "", left_out),
    ("H2PING H2PingUseTLS UDP OSService TLSServerName DisableRedirects", "", left_out),
)
SERVICE = fields(
    ("ID", "id", as_text),
    ("Name", "name", as_text),
    ("Tags", "tags", list_of(as_text)),
    ("Meta", "meta", map_of(as_text)),
    ("Port", "port", as_whole),
    ("Address", "address", as_text),
    ("Weights", "weights", _weights),
    ("EnableTagOverride enable_tag_override", "enable_tag_override", as_flag),
    ("TaggedAddresses tagged_addresses", "tagged_addresses", map_of(_address)),
    ("Check", "check", _check),
    ("Checks", "checks", list_of(_check)),
    ("Token Namespace Partition", "", ignored),
    ("Kind Proxy Connect SocketPath Locality Ports", "", left_out),
)
UPDATE = fields(("Status", "status", as_text), ("Output", "output", as_text))
