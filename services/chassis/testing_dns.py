"""A real DNS server on a free port of loopback, UDP and TCP, that does what a test says."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

UDP_BYTES = 1232

Fault = Callable[[dns.message.Message], bytes | None]


class FakeDns:
    """records: (name, type) -> what the records say. `fault` answers in its place; None is silence.

    asked: the (name, type) of each question, in order.
    """

    def __init__(self, zone: str = "souk.test") -> None:
        self.zone, self.ttl = zone, 0
        self.records: dict[tuple[str, str], list[str]] = {}
        self.fault: Fault | None = None
        self.tcp_fault: Fault | None = None
        self.asked: list[tuple[str, str]] = []
        self.port = 0
        while not self.port:
            self._take_a_port()
        self.start()

    def put(self, name: str, *values: str, kind: str = "A") -> None:
        self.records[f"{name}.{self.zone}.", kind] = list(values)

    def _take_a_port(self) -> None:
        """One that both protocols have free."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                tcp.bind(udp.getsockname())
                self.port = tcp.getsockname()[1]

    def start(self) -> None:
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                if answer := outer._answer(data, outer.fault, most=UDP_BYTES):
                    sock.sendto(answer, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                length = struct.unpack("!H", self.rfile.read(2))[0]
                if answer := outer._answer(self.rfile.read(length), outer.tcp_fault, most=65_535):
                    self.wfile.write(struct.pack("!H", len(answer)) + answer)

        class TcpServer(socketserver.ThreadingTCPServer):
            allow_reuse_address = True

        address = ("127.0.0.1", self.port)
        self._servers = [socketserver.ThreadingUDPServer(address, Udp), TcpServer(address, Tcp)]
        self._threads = [threading.Thread(target=s.serve_forever, args=(0.01,), daemon=True) for s in self._servers]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def _answer(self, data: bytes, fault: Fault | None, most: int) -> bytes | None:
        question = dns.message.from_wire(data)
        asked = question.question[0]
        key = str(asked.name), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(key)
        if fault is not None:
            return fault(question)
        reply = dns.message.make_response(question)
        if values := self.records.get(key):
            reply.answer.append(dns.rrset.from_text(asked.name, self.ttl, "IN", key[1], *values))
        elif not any(name == key[0] and found for (name, _), found in self.records.items()):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        wire = reply.to_wire(max_size=65_535)
        return wire if len(wire) <= most else truncated(question)


def refusal(rcode: dns.rcode.Rcode) -> Fault:
    """SERVFAIL and the like."""

    def answer(question: dns.message.Message) -> bytes:
        reply = dns.message.make_response(question)
        reply.set_rcode(rcode)
        return reply.to_wire()

    return answer


def truncated(question: dns.message.Message) -> bytes:
    """ "There is more, ask me by TCP"."""
    reply = dns.message.make_response(question)
    reply.flags |= dns.flags.TC
    return reply.to_wire()
