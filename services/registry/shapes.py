"""JSON out: the objects as Consul names and nests them."""

import json
import socket
import uuid
from dataclasses import dataclass
from typing import Any

from registry.definitions import ServiceDefinition
from registry.records import Check, Instance

DATACENTER = "dc1"
# The release whose behaviour this follows; some clients look before they choose what to send.
VERSION = "1.8.7"
SERVER_PORT = 8300


def to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Node:
    """The one node of this catalogue: the machine that the registry runs on."""

    name: str
    address: str

    @classmethod
    def here(cls, host: str) -> "Node":
        """Named after this machine. A wildcard host is no address to hand out, so loopback stands in."""
        everywhere = host in ("0.0.0.0", "::", "")  # nosec B104 # an address to compare with
        return cls(socket.gethostname(), "127.0.0.1" if everywhere else host)

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))

    @property
    def leader(self) -> str:
        return f"{self.address}:{SERVER_PORT}"

    def shape(self) -> dict[str, Any]:
        addresses = dict.fromkeys(("lan", "lan_ipv4", "wan", "wan_ipv4"), self.address)
        return {
            "ID": self.id,
            "Node": self.name,
            "Address": self.address,
            "Datacenter": DATACENTER,
            "TaggedAddresses": addresses,
            "Meta": {},
            "CreateIndex": 1,
            "ModifyIndex": 1,
        }


def agent_service(definition: ServiceDefinition) -> dict[str, Any]:
    shape = {
        "ID": definition.id,
        "Service": definition.name,
        "Tags": definition.tags,
        "Meta": definition.meta,
        "Port": definition.port,
        "Address": definition.address,
        "Weights": _weights(definition),
        "EnableTagOverride": definition.enable_tag_override,
        "Datacenter": DATACENTER,
    }
    if definition.tagged_addresses:
        shape["TaggedAddresses"] = definition.tagged_addresses
    return shape


def health_service(instance: Instance) -> dict[str, Any]:
    shape = agent_service(instance.definition)
    del shape["Datacenter"]
    indexes = {"CreateIndex": instance.create_index, "ModifyIndex": instance.modify_index}
    return shape | {"Proxy": {}, "Connect": {}} | indexes


def catalog_service(instance: Instance, node: dict[str, Any]) -> dict[str, Any]:
    definition = instance.definition
    shape = {key: node[key] for key in ("ID", "Node", "Address", "Datacenter", "TaggedAddresses")}
    return shape | {
        "NodeMeta": node["Meta"],
        "ServiceKind": "",
        "ServiceID": definition.id,
        "ServiceName": definition.name,
        "ServiceTags": definition.tags,
        "ServiceAddress": definition.address,
        "ServiceTaggedAddresses": definition.tagged_addresses,
        "ServiceWeights": _weights(definition),
        "ServiceMeta": definition.meta,
        "ServicePort": definition.port,
        "ServiceEnableTagOverride": definition.enable_tag_override,
        "ServiceProxy": {},
        "ServiceConnect": {},
        "CreateIndex": instance.create_index,
        "ModifyIndex": instance.modify_index,
    }


def check_shape(check: Check, node_name: str) -> dict[str, Any]:
    return {
        "Node": node_name,
        "CheckID": check.id,
        "Name": check.name,
        "Status": check.status,
        "Notes": check.notes,
        "Output": check.output,
        "ServiceID": check.service_id,
        "ServiceName": check.service_name,
        "ServiceTags": check.service_tags,
        "Type": check.kind,
        "Definition": {},
        "CreateIndex": check.create_index,
        "ModifyIndex": check.modify_index,
    }


def _weights(definition: ServiceDefinition) -> dict[str, int]:
    return {"Passing": definition.weights[0], "Warning": definition.weights[1]}
