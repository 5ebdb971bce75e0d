"""Bytes to lines, with a limit, however the bytes were cut."""

from __future__ import annotations

from typing import Final

from erlmcp_py.transports.framing.message import Message, TooLong

_NEWLINE: Final = b"\n"


class Lines:
    """Collects until a newline comes."""

    __slots__ = ("_limit", "_parts", "_size", "_skipping")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[Message]:
        """Lines that became complete, without their newlines."""
        *ended, rest = data.split(_NEWLINE)
        lines: list[Message] = []
        for piece in ended:
            self._add(piece, lines)
            if not self._skipping:
                lines.append(self._take())
            self._skipping = False
        self._add(rest, lines)
        return lines

    def finish(self) -> list[Message]:
        """What stands without a newline when the input ends."""
        line = self._take()
        return [line] if line else []

    @staticmethod
    def wrap(message: bytes) -> bytes:
        """With the newline that ends it."""
        return message + _NEWLINE

    def _add(self, piece: bytes, lines: list[Message]) -> None:
        if self._skipping or not piece:
            return
        self._parts.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            self._take()
            self._skipping = True
            lines.append(TooLong(self._limit))

    def _take(self) -> bytes:
        parts = self._parts
        line = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self._size = 0
        return line
