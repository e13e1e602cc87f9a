"""One HTTP/1.1 request as it comes in pieces: whether all of it is here (RFC 9112, section 6).

What it says is not judged here. Where the framing makes no sense the request counts as whole, and gunicorn's
parser then says what is wrong with it.
"""

import re

MOST_HEAD_BYTES = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r")
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r)", re.I)
_CHUNK_SIZE = re.compile(rb"[0-9a-f]{1,15}", re.I)


class Refused(Exception):
    """Nobody shall wait for the rest of this request. status: what it is answered with."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Incoming:
    """Collects a request of at most `most_bytes` in its body."""

    _looked = 0  # no end of the headers before here
    _body = -1  # where it begins, once the headers are whole
    _next_chunk = -1  # where it begins, or -1 when the body is not in chunks
    _payload = 0  # bytes in the chunks so far
    _end = -1

    def __init__(self, most_bytes: int) -> None:
        self.data = bytearray()
        self._most_bytes = most_bytes

    def is_whole(self) -> bool:
        """Whether all of it is in `data`. Raises Refused for headers or a body beyond the limits."""
        if self._body < 0 and not self._find_body():
            return False
        if self._next_chunk >= 0 and not self._find_last_chunk():
            return False
        return len(self.data) >= self._end

    def expects_continue(self) -> bool:
        """Whether the client waits to be asked for the body (RFC 9110, section 10.1.1). True only once."""
        if self._body < 0 or not (found := _EXPECT.search(self.data, 0, self._body)):
            return False
        del self.data[found.start() : found.end()]
        gone = found.end() - found.start()
        self._body -= gone
        self._end = max(-1, self._end - gone)
        self._next_chunk = max(-1, self._next_chunk - gone)
        return True

    def _find_body(self) -> bool:
        end = self.data.find(b"\r\n\r\n", self._looked)
        if (end if end >= 0 else len(self.data)) > MOST_HEAD_BYTES:
            raise Refused(431, f"the headers are larger than {MOST_HEAD_BYTES} bytes")
        if end < 0:
            self._looked = max(0, len(self.data) - 3)
            return False
        self._body = self._end = end + 4
        head = self.data[: end + 2].lower()  # and plain searches, which cost less than one that ignores case
        if b"\r\ntransfer-encoding:" in head:
            self._next_chunk, self._end = self._body, -1
        elif b"\r\ncontent-length:" in head and (length := _LENGTH.search(head)):
            self._check(int(length[1]))
            self._end += int(length[1])
        return True

    def _find_last_chunk(self) -> bool:
        while (line_end := self.data.find(b"\r\n", self._next_chunk)) >= 0:
            if not (size := _CHUNK_SIZE.match(self.data, self._next_chunk, line_end)):
                return True  # no chunk at all
            if int(size[0], 16) == 0:
                self._end = self.data.find(b"\r\n\r\n", line_end) + 4  # behind the trailers
                break
            self._payload += int(size[0], 16)
            self._check(self._payload)
            self._next_chunk = line_end + 2 + int(size[0], 16) + 2
        self._check((len(self.data) - self._body) // 2)  # more framing than body is no way to send one
        return self._end >= 4

    def _check(self, size: int) -> None:
        if size > self._most_bytes:
            raise Refused(413, f"the body is larger than {self._most_bytes} bytes")
