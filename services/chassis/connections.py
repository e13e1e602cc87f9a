"""Kept HTTP connections to all neighbours, shared by the threads of a process."""

import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

CONNECT_TIMEOUT_S = 1.0
IDLE_KEPT = 64  # idle connections that are kept per address; more may be open at the same time
CUT_AT_ONCE_S = 0.05  # later than this the other side had begun to work, and most of the time may be gone
NETWORK_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidURL,  # an instance may have registered any address
)

_this_thread = threading.local()


class _Connection(urllib3.connection.HTTPConnection):
    """Notes whether the last request of this thread went out on a connection that was kept from before."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        _this_thread.kept = self.sock is not None
        super().request(*args, **kwargs)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool}


class Connections:
    """Sends one request to one address. Thread-safe; opens nothing before its first use, so it may be forked."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._session = self._new_session()

    def send(self, method: str, url: str, *, timeout_s: float, repeatable: bool, **content: Any) -> requests.Response:
        """The answer, whatever its status. Raises one of NETWORK_ERRORS.

        timeout_s bounds connecting and waiting for the answer together (each wait for a piece of a long
        answer anew). A kept connection that the other side
        closed just now fails before a byte of an answer; if `repeatable`, the request goes out again on a
        fresh one, since that says nothing about how the other side is.
        """
        _this_thread.kept, began = False, time.monotonic()
        request = self._session.prepare_request(requests.Request(method, url, **content))
        timeout: Any = urllib3.Timeout(total=timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        try:
            return self._session.send(request, timeout=timeout, allow_redirects=False)
        except requests.ConnectionError as error:
            at_once = time.monotonic() - began < CUT_AT_ONCE_S
            if not (repeatable and at_once and _this_thread.kept and _is_cut_off(error)):
                raise
        with self._new_session() as fresh:
            return fresh.send(request, timeout=timeout, allow_redirects=False)

    def close(self) -> None:
        self._session.close()

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxies between our services; and reading .netrc for each call is slow
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a jar would be shared by all users
        session.headers["User-Agent"] = self._user_agent
        session.mount("http://", _Adapter(pool_connections=256, pool_maxsize=IDLE_KEPT, max_retries=0))
        return session


def was_never_sent(error: requests.RequestException) -> bool:
    """True if there was no connection, so that the other side cannot have seen the request."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, urllib3.exceptions.NewConnectionError)


def is_timeout(error: requests.RequestException) -> bool:
    """True if the answer did not come, or did not end, in time."""
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ReadTimeout) or isinstance(cause, urllib3.exceptions.ReadTimeoutError)


def _is_cut_off(error: requests.ConnectionError) -> bool:
    return bool(error.args) and isinstance(error.args[0], urllib3.exceptions.ProtocolError)
