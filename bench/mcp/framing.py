"""Messages on a stream of bytes, as a client of ours sends and takes them: lines, lengths, WebSocket.

A framing is a pair of functions: `frame(message)` answers what goes on the wire, `split(buffer)` the
whole messages at the beginning of what came, and the rest.
"""

import base64
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: mcp\r\n\r\n"
)
_TEXT = 0x81
_MASKED = 0x80
_NO_MASK = b"\0\0\0\0"
_PING = 0x89


@dataclass(frozen=True, slots=True)
class Framing:
    frame: Callable[[bytes], bytes]
    split: Callable[[bytes], tuple[list[bytes], bytes]]


def _line(message: bytes) -> bytes:
    return message + b"\n"


def _split_lines(buffer: bytes) -> tuple[list[bytes], bytes]:
    *lines, rest = buffer.split(b"\n")
    return lines, rest


def _prefixed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def _split_prefixed(buffer: bytes) -> tuple[list[bytes], bytes]:
    messages = []
    at = 0
    while len(buffer) >= at + 4:
        end = at + 4 + int.from_bytes(buffer[at : at + 4], "big")
        if len(buffer) < end:
            break
        messages.append(buffer[at + 4 : end])
        at = end
    return messages, buffer[at:]


def _masked(message: bytes) -> bytes:
    """A text frame. WHY a mask of zeros: it is a mask to the server, and costs the load nothing."""
    size = len(message)
    if size < 126:
        head = bytes((_TEXT, _MASKED | size))
    elif size < 65536:
        head = struct.pack("!BBH", _TEXT, _MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", _TEXT, _MASKED | 127, size)
    return head + _NO_MASK + message


def _split_frames(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Whole text messages; a ping is passed over, for a run ends before its answer is missed."""
    messages = []
    at = 0
    while len(buffer) >= at + 2:
        first, size = buffer[at], buffer[at + 1]
        start = at + 2
        if size == 126:
            start += 2
            size = int.from_bytes(buffer[at + 2 : start], "big")
        elif size == 127:
            start += 8
            size = int.from_bytes(buffer[at + 2 : start], "big")
        if len(buffer) < max(start, start + size):
            break
        if first == _TEXT:
            messages.append(buffer[start : start + size])
        elif first != _PING:
            raise RuntimeError(f"a frame that was not expected: {buffer[at : at + 80]!r}")
        at = start + size
    return messages, buffer[at:]


FRAMINGS = {
    "newline": Framing(_line, _split_lines),
    "length": Framing(_prefixed, _split_prefixed),
    "websocket": Framing(_masked, _split_frames),
}


def upgrade(path: str, host: str) -> bytes:
    """The request that makes a WebSocket of an HTTP connection."""
    return _UPGRADE.format(
        path=path, host=host, key=base64.b64encode(os.urandom(16)).decode()
    ).encode()
