"""Answers off the wire, as strictly as a suspicious client reads them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from erlmcp_py.protocol.refusals import refusal_of

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]+")
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([!-~](?:[ -~]*[!-~])?)")
KNOWN: Final = frozenset(
    {200, 202, 204, 400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 415, 417, 421, 429, 431, 501, 503, 505}
)  # fmt: skip
_MOST: Final = 64 * 1024 * 1024


class Wrong(AssertionError):
    """Something that no server says."""


@dataclass
class Answer:
    """One response. ended: whether its end came."""

    status: int
    headers: dict[str, str]
    body: bytes
    ended: bool

    @property
    def closes(self) -> bool:
        """Whether it says that it is the last."""
        return self.headers.get("connection") == "close"

    @property
    def messages(self) -> list[Any]:
        """The JSON-RPC messages in it."""
        if self.headers.get("content-type") == "text/event-stream":
            lines = self.body.split(b"\n")
            return [json.loads(line[6:]) for line in lines if line[:7] == b"data: {"]
        return [json.loads(self.body)] if self.body else []


class Reader:
    """What a server says on one connection. end: "open", "closed", or "reset"."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self._buffer = b""
        self.end = "open"
        self.interim = 0
        """How many "100 Continue" came."""

    async def _more(self) -> bool:
        if self.end != "open":
            return False
        try:
            data = await self._socket.recv(65536)
        except ConnectionError:
            self.end = "reset"
            return False
        if not data:
            self.end = "closed"
        self._buffer += data
        if len(self._buffer) > _MOST:
            raise Wrong("the server sends and sends")
        return bool(data)

    async def answer(self, *, bodiless: bool = False, endless: bool = False) -> Answer | None:
        """The next one; None if the connection ended without. Raises Wrong.

        bodiless: it answers a HEAD. endless: a stream is left once its head has come.
        """
        while True:
            head = await self._until(b"\r\n\r\n")
            if head is None:
                return None
            status, headers = _head(head)
            if status != 100:
                break
            if headers:
                raise Wrong(f"100 Continue with headers: {head!r}")
            self.interim += 1
        if status not in KNOWN:
            raise Wrong(f"status {status}: {head!r}")
        answer = Answer(status, headers, b"", False)
        if headers.get("transfer-encoding") == "chunked":
            answer.ended = not endless and await self._chunks(answer)
        elif "content-length" not in headers and status != 204:  # to the end (RFC 9112, 6.3)
            answer.body = b"" if endless else await self.rest()
            answer.ended = not endless
        elif not bodiless and status != 204:
            await self._sized(answer)
        else:
            answer.ended = True
        if answer.ended:
            _judge(answer, bodiless=bodiless)
        return answer

    async def rest(self) -> bytes:
        """Everything until the end."""
        while await self._more():
            pass
        taken, self._buffer = self._buffer, b""
        return taken

    async def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not await self._more():
                if self._buffer:
                    raise Wrong(f"half an answer, then it {self.end}: {self._buffer[:500]!r}")
                return None
        taken, _, self._buffer = self._buffer.partition(mark)
        return taken

    async def _sized(self, answer: Answer) -> None:
        size = int(answer.headers["content-length"])
        while len(self._buffer) < size:
            if not await self._more():
                raise Wrong(f"half a body, then it {self.end}: {self._buffer[:500]!r}")
        answer.body, self._buffer = self._buffer[:size], self._buffer[size:]
        answer.ended = True

    async def _chunks(self, answer: Answer) -> bool:
        """Whether the last one came: a stream may break when the client has left."""
        while True:
            while b"\r\n" not in self._buffer:
                if not await self._more():
                    return False
            line, _, rest = self._buffer.partition(b"\r\n")
            size = int(line, 16)
            while len(rest) < size + 2:
                if not await self._more():
                    return False
                rest = self._buffer.partition(b"\r\n")[2]
            if rest[size : size + 2] != b"\r\n":
                raise Wrong(f"a chunk that does not end: {rest[: size + 2]!r}")
            answer.body += rest[:size]
            self._buffer = rest[size + 2 :]
            if size == 0:
                return True


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise Wrong(f"no status line: {first[:200]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Wrong(f"no header: {line[:200]!r}")
        name = found[1].decode().lower()
        if name in headers:
            raise Wrong(f"{name} twice: {head!r}")
        headers[name] = found[2].decode()
    code = int(status[1])
    framings = ("content-length" in headers) + ("transfer-encoding" in headers)
    to_the_end = headers.get("connection") == "close" and code == 200
    if code not in (100, 204) and framings != 1 and not (framings == 0 and to_the_end):
        raise Wrong(f"{framings} framings: {head!r}")
    if code != 100 and "date" not in headers:
        raise Wrong(f"no Date: {head!r}")
    return code, headers


def _judge(answer: Answer, *, bodiless: bool) -> None:
    """An error says what was wrong, in JSON-RPC's form, and with a code of the catalogue."""
    if answer.status < 400 or bodiless:
        return
    if answer.headers.get("content-type") != "application/json":
        raise Wrong(f"an error that is no JSON: {answer}")
    try:
        message = json.loads(answer.body)
        whole = message["jsonrpc"] == "2.0" and len(message["error"]["message"]) > 5
        whole = whole and type(message["error"]["code"]) is int and "result" not in message
    except (ValueError, LookupError, TypeError) as problem:
        raise Wrong(f"an error that is no JSON-RPC: {answer}") from problem
    if not whole:
        raise Wrong(f"an error that is no JSON-RPC: {answer}")
    entry = refusal_of(message["error"].get("data"))
    if entry is None or answer.status not in entry.statuses:
        raise Wrong(f"a refusal that is not in the catalogue with this status: {answer}")
