"""One look at an instance from outside: an HTTP request, or a TCP connection."""

import http.client
import socket
import ssl
import urllib.error
import urllib.request

from registry.definitions import CheckDefinition

DEFAULT_TIMEOUT_S = 10.0
READ_BYTES = 1024 * 1024
OUTPUT_BYTES = 4096  # the end of the body, as much as is shown


def probe(definition: CheckDefinition) -> tuple[str, str]:
    """The status and output that a look gives. Never raises: what goes wrong is the result."""
    timeout = definition.timeout or DEFAULT_TIMEOUT_S
    try:
        return _http(definition, timeout) if definition.http else _tcp(definition.tcp, timeout)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return "critical", str(error) or type(error).__name__


def _http(definition: CheckDefinition, timeout: float) -> tuple[str, str]:
    method = definition.method.upper() or "GET"
    request = urllib.request.Request(definition.http, definition.body.encode() or None, method=method)
    request.add_header("User-Agent", "Consul Health Check")
    for name, values in definition.header.items():
        request.add_header(name, ", ".join(values))
    try:
        answer = _opener(definition.tls_skip_verify).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    except urllib.error.URLError as error:
        return "critical", f'{method} "{definition.http}": {error.reason}'
    with answer:
        body = answer.read(READ_BYTES)[-OUTPUT_BYTES:].decode("utf-8", "replace")
        status, reason = answer.status or 0, answer.reason
    output = f"HTTP {method} {definition.http}: {status} {reason} Output: {body}"
    return "passing" if 200 <= status < 300 else "warning" if status == 429 else "critical", output


def _opener(skip_verify: bool) -> urllib.request.OpenerDirector:
    """HTTP and HTTPS alone. The library's own opener also reads `file:` and asks proxies."""
    context = ssl.create_default_context()
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _tcp(target: str, timeout: float) -> tuple[str, str]:
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout):
        return "passing", f"TCP connect {target}: Success"
