"""A reader of requests that is nothing but RFC 9112, 9110 and 3986: slow, whole, written apart from ours.

It says what a stream is, if it can be only that. Whatever our parser takes for a request has to be
one here, at the same place, with the same body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
FIRST = re.compile(rb"(" + TOKEN + rb") ([!-~]+) HTTP/1\.([01])")
FIELD = re.compile(
    rb"(" + TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff](?:[ -~\t\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
CHUNK = re.compile(
    rb"([0-9a-fA-F]+)(?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*"
)
HOST = re.compile(
    rb"(?:\[[0-9a-fA-F:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-fA-F]{2})*)(?::\d*)?", re.ASCII
)
TARGET = re.compile(rb"/[^#\\]*|\*|https?://[^/?#@]+(?:[/?][^#\\]*)?", re.IGNORECASE)  # fmt: skip
FRAMING = {b"content-length", b"transfer-encoding", b"host", b"connection"}


@dataclass
class Read:
    """One request as it stands in the stream."""

    method: bytes
    target: bytes
    version: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes
    keep_alive: bool
    end: int = 0
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


class Refused(Exception):
    """There is no one reading."""


class Unfinished(Exception):
    """So far there is nothing wrong."""


def read(stream: bytes) -> tuple[list[Read], str]:
    """The requests of a stream, and why it ends: "end", "unfinished", "closed" or "refused"."""
    found: list[Read] = []
    at = 0
    try:
        while True:
            while stream.startswith(b"\r\n", at):
                at += 2
            if at == len(stream):
                return found, "end"
            request, at = _one(stream, at)
            request.end = at
            found.append(request)
            if not request.keep_alive:
                return found, "closed"
    except Refused:
        return found, "refused"
    except Unfinished:
        return found, "unfinished"


def _one(stream: bytes, at: int) -> tuple[Read, int]:
    line, at = _line(stream, at)
    first = FIRST.fullmatch(line)
    if first is None or not TARGET.fullmatch(first[2]):
        raise Refused
    fields, at = _fields(stream, at)
    request = Read(first[1], first[2], b"1." + first[3], fields, b"", True)
    hosts = request.all(b"host")
    if len(hosts) > 1 or (not hosts and request.version == b"1.1"):
        raise Refused
    if hosts and not HOST.fullmatch(hosts[0]):
        raise Refused
    options = [o.strip(b" \t").lower() for v in request.all(b"connection") for o in v.split(b",")]
    old = request.version == b"1.0"
    request.keep_alive = b"close" not in options and (not old or b"keep-alive" in options)
    codings, lengths = request.all(b"transfer-encoding"), request.all(b"content-length")
    if codings:
        if lengths or old or [c.lower() for c in codings] != [b"chunked"]:
            raise Refused
        request.body, request.trailers, at = _chunks(stream, at)
    elif lengths:
        if len(lengths) > 1 or not re.fullmatch(rb"[0-9]+", lengths[0]) or len(lengths[0]) > 20:
            raise Refused
        end = at + int(lengths[0])
        if end > len(stream):
            raise Unfinished
        request.body, at = stream[at:end], end
    return request, at


def _line(stream: bytes, at: int) -> tuple[bytes, int]:
    end = stream.find(b"\r\n", at)
    if end < 0:
        rest = stream[at:].removesuffix(b"\r")
        raise Refused if b"\r" in rest or b"\n" in rest else Unfinished
    return stream[at:end], end + 2


def _fields(stream: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    fields = []
    while True:
        line, at = _line(stream, at)
        if not line:
            return fields, at
        found = FIELD.fullmatch(line)
        if found is None:
            raise Refused
        fields.append((found[1].lower(), found[2]))


def _chunks(stream: bytes, at: int) -> tuple[bytes, list[tuple[bytes, bytes]], int]:
    body = b""
    while True:
        line, at = _line(stream, at)
        found = CHUNK.fullmatch(line)
        if found is None:
            raise Refused
        size = int(found[1], 16)
        if size == 0:
            trailers, at = _fields(stream, at)
            if FRAMING & {name for name, _ in trailers}:
                raise Refused
            return body, trailers, at
        end = at + size
        if len(stream) < end + 2:
            if not b"\r\n".startswith(stream[end : end + 2]):
                raise Refused
            raise Unfinished
        if stream[end : end + 2] != b"\r\n":
            raise Refused
        body += stream[at:end]
        at = end + 2
