"""What has to come of the frames of a client: RFC 6455 read a second time, as plainly as possible.

A whole stream is judged at once, without a parser that could stop in the middle, and without a line of what
is tested. It says what a node has to do, not how.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_MAY_BE_SENT: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})


class Verdict(NamedTuple):
    """messages, pongs: in order. close: payload of the Close frame if the client has closed, otherwise
    the code; None while the socket stays open.
    """

    messages: list[bytes]
    pongs: list[bytes]
    close: bytes | int | None


def judge(stream: bytes, limit: int, fragments: int) -> Verdict:
    """limit, fragments: of one message."""
    messages: list[bytes] = []
    pongs: list[bytes] = []
    parts: list[bytes] | None = None

    def verdict(close: bytes | int | None) -> Verdict:
        return Verdict(messages, pongs, close)

    while len(stream) >= 2:
        final, reserved, opcode = stream[0] & 0x80, stream[0] & 0x70, stream[0] & 0x0F
        masked, size = stream[1] & 0x80, stream[1] & 0x7F
        if opcode not in (CONT, TEXT, BINARY, CLOSE, PING, PONG) or not masked:
            return verdict(1002)
        wide = {126: 2, 127: 8}.get(size, 0)
        if len(stream) < 2 + wide:
            break
        if wide:
            size = int.from_bytes(stream[2 : 2 + wide], "big")
        room = limit - sum(map(len, parts or ()))
        if size > max(room, 125):
            return verdict(1009)
        at = 2 + wide + 4
        if len(stream) < at + size:
            break
        mask = stream[at - 4 : at]
        data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(stream[at : at + size]))
        stream = stream[at + size :]
        if reserved or (opcode >= CLOSE and (size > 125 or not final)):
            return verdict(1002)
        if opcode == PING:
            pongs.append(data)
        elif opcode == CLOSE:
            return verdict(_closing(data))
        elif opcode != PONG:
            if (opcode == CONT) is (parts is None):
                return verdict(1002)
            if opcode == BINARY:
                return verdict(1003)
            if size > room:
                return verdict(1009)
            parts = [*(parts or []), data]
            if len(parts) > fragments:
                return verdict(1009)
            if not _is_text(b"".join(parts), bool(final)):
                return verdict(1007)
            if final:
                messages.append(b"".join(parts))
                parts = None
    return verdict(None)


def _closing(data: bytes) -> bytes | int:
    if not data:
        return data
    if len(data) == 1:
        return 1002
    if not _is_text(data[2:], True):
        return 1007
    return data if int.from_bytes(data[:2], "big") in _MAY_BE_SENT else 1002


def _is_text(data: bytes, whole: bool) -> bool:
    """Whether it is UTF-8, or could become so."""
    try:
        data.decode()
    except UnicodeDecodeError as problem:
        return not whole and problem.reason == "unexpected end of data"
    return True
