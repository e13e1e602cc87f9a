"""The forms of DISCOVERY_URL, checked where the settings are read: a wrong one is one line there and no crash later."""

from urllib.parse import SplitResult, parse_qs, urlsplit

FORMS = "give consul://host:port, dns://suffix:port or static:///path/to/file.toml"


def discovery_parts(url: str) -> SplitResult:
    """The parts of a URL in one of the three forms. Raises ValueError that says what to give."""
    try:
        parts = urlsplit(url)
        somewhere = parts.hostname and parts.port != 0 and parts.path in ("", "/")
        asked_server(parts)
    except ValueError:  # a port that is no number
        raise ValueError(f"discovery at {url!r}: {FORMS}") from None
    a_file = not parts.netloc and parts.path
    if not (somewhere if parts.scheme in ("consul", "dns") else parts.scheme == "static" and a_file):
        raise ValueError(f"discovery at {url!r}: {FORMS}")
    return parts


def asked_server(parts: SplitResult) -> tuple[str, int] | None:
    """The DNS server that `?server=address:port` names, or None for those of this machine."""
    server = urlsplit("//" + parse_qs(parts.query).get("server", [""])[0])
    return (server.hostname, server.port or 53) if server.hostname else None
