"""The agent's side: writing registrations, and reading them without an index."""

import hashlib

from registry.agent import Agent
from registry.catalog_routes import FALSE, TRUE
from registry.definitions import read_check, read_service, read_update
from registry.reading import json_reply
from registry.shapes import DATACENTER, VERSION, Node, agent_service, check_shape, to_json
from registry.web import Handler, Refusal, Reply, Request

DONE = Reply()


class AgentRoutes:
    def __init__(self, agent: Agent, node: Node) -> None:
        self._agent = agent
        self._node = node

    def register(self, request: Request) -> Reply:
        replace = request.query.get("replace-existing-checks", "false") in TRUE
        self._agent.register(read_service(request.body()), replace)
        return DONE

    def deregister(self, request: Request) -> Reply:
        if not request.tail:
            raise Refusal(400, "Missing service ID")
        self._agent.deregister(request.tail)
        return DONE

    def services(self, _request: Request) -> Reply:
        return json_reply({key: agent_service(found) for key, found in self._agent.services().items()})

    def service(self, request: Request) -> Reply:
        definition = self._agent.service(request.tail)
        if not definition:
            raise Refusal(404, f"unknown service ID: {request.tail}")
        shape = agent_service(definition)
        # Not a secret: a short mark by which a client sees that the definition is another one.
        digest = hashlib.blake2b(to_json(shape), digest_size=8).hexdigest()
        return json_reply(shape | {"ContentHash": digest})

    def checks(self, _request: Request) -> Reply:
        return json_reply({check.id: check_shape(check, self._node.name) for check in self._agent.checks()})

    def register_check(self, request: Request) -> Reply:
        self._agent.add_check(read_check(request.body()))
        return DONE

    def deregister_check(self, request: Request) -> Reply:
        if not request.tail:
            raise Refusal(400, "Missing check ID")
        self._agent.remove_check(request.tail)
        return DONE

    def report(self, status: str) -> Handler:
        def report_status(request: Request) -> Reply:
            self._agent.renew(request.tail, status, request.query.get("note", ""))
            return DONE

        return report_status

    def update_check(self, request: Request) -> Reply:
        status, output = read_update(request.body())
        self._agent.renew(request.tail, status, output)
        return DONE

    def maintain_service(self, request: Request) -> Reply:
        if not request.tail:
            raise Refusal(400, "Missing service ID")
        enable = enabled(request)
        self._agent.maintain_service(request.tail, enable, request.query.get("reason", ""))
        return DONE

    def maintain_node(self, request: Request) -> Reply:
        self._agent.maintain_node(enabled(request), request.query.get("reason", ""))
        return DONE

    def self(self, _request: Request) -> Reply:
        node = self._node
        config = {
            "Datacenter": DATACENTER,
            "NodeName": node.name,
            "NodeID": node.id,
            "Revision": "souk",
            "Server": True,
            "Version": VERSION,
        }
        member = {
            "Name": node.name,
            "Addr": node.address,
            "Port": 8301,
            "Tags": {"role": "consul", "dc": DATACENTER, "id": node.id},
            "Status": 1,
        }
        stats = {"consul": {"leader": "true", "leader_addr": node.leader, "server": "true"}}
        coordinates = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-05}
        return json_reply(
            {
                "Config": config,
                "DebugConfig": {},
                "Coord": coordinates,
                "Member": member,
                "Stats": stats,
                "Meta": {},
            }
        )


def enabled(request: Request) -> bool:
    value = request.query.get("enable", "")
    if not value:
        raise Refusal(400, "Missing value for enable")
    if value not in TRUE + FALSE:
        raise Refusal(400, f'Invalid value for enable: "{value}"')
    return value in TRUE
