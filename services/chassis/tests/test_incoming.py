"""A request in pieces is whole exactly when its last byte is there, however it was cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.incoming import Incoming, Refused

NAMES = st.sampled_from([b"X-A", b"cONTENT-tYPE", b"Accept"])
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=9).map(lambda raw: raw.replace(b"\r", b"")))).map(
    lambda pairs: b"".join(b"%b: %b\r\n" % pair for pair in pairs)
)
BODIES = st.binary(max_size=60)


def by_length(headers: bytes, body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\n%bCONTENT-length: %d \r\n\r\n%b" % (headers, len(body), body)


def in_chunks(headers: bytes, body: bytes) -> bytes:
    chunks = b"".join(b"%X;a=b\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
    return b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n%b\r\n%b0\r\nX-Sum: 1\r\n\r\n" % (headers, chunks)


def without_body(headers: bytes, _body: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\n%b\r\n" % headers


@given(st.sampled_from([by_length, in_chunks, without_body]), HEADERS, BODIES, st.lists(st.integers(1, 30), min_size=1))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_it_is_whole_with_its_last_byte_and_not_before(form, headers, body, cuts):
    request = form(headers, body)
    incoming, sent = Incoming(1000), 0
    while sent < len(request):
        assert not incoming.is_whole()
        size = cuts[sent % len(cuts)]
        incoming.data += request[sent : sent + size]
        sent += size
    assert incoming.is_whole()
    assert incoming.data == request


@given(st.binary(max_size=300).map(lambda raw: b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + raw))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_rubbish_for_chunks_ends_nobody(request):
    try:
        incoming = Incoming(1000)
        incoming.data += request
        assert incoming.is_whole() in (True, False)
    except Refused as refused:
        assert refused.status == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n1\r\n", 413),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 66_000, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 66_000 + b"\r\n\r\n", 431),
    ],
)
def test_nobody_waits_for_what_is_too_large(request_, status):
    incoming = Incoming(1000)
    incoming.data += request_
    with pytest.raises(Refused) as refused:
        incoming.is_whole()
    assert refused.value.status == status


def test_a_client_that_waits_is_asked_once_and_the_request_loses_nothing_else():
    incoming = Incoming(1000)
    incoming.data += b"POST / HTTP/1.1\r\nA: 1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    assert not incoming.is_whole()
    assert [incoming.expects_continue() for _ in range(2)] == [True, False]
    incoming.data += b"ab"
    assert incoming.is_whole()
    assert incoming.data == b"POST / HTTP/1.1\r\nA: 1\r\nContent-Length: 2\r\n\r\nab"
