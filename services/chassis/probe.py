"""The health check of a container: exit status 0 when what listens on PORT answers as it should.

    python -S chassis/probe.py [PATH [STATUS]]

It runs every few seconds in every container, so it imports next to nothing.
"""

import os
import socket
import sys

TIMEOUT_S = 4


def answers(port: int, path: str = "/readyz", status: str = "200") -> bool:
    """Whether GET `path` on this machine's `port` is answered with `status`."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            return connection.recv(12).endswith(f" {status}".encode())
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not answers(int(os.environ.get("PORT", "8000")), *sys.argv[1:]))
