"""Bytes to messages that have their length before them: four bytes, big-endian."""

from __future__ import annotations

from typing import Final

from erlmcp_py.transports.framing.message import Message, TooLong

_HEAD: Final = 4


class Lengths:
    """Collects as many bytes as the head said."""

    __slots__ = ("_head", "_limit", "_missing", "_parts", "_skipped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._skipped = 0

    def feed(self, data: bytes) -> list[Message]:
        """Messages that became complete, without their heads."""
        messages: list[Message] = []
        position, end = 0, len(data)
        while position < end:
            if self._skipped:
                step = min(self._skipped, end - position)
                self._skipped -= step
            elif self._missing:
                part = data[position : position + self._missing]
                step = len(part)
                self._missing -= step
                self._parts.append(part)
                if not self._missing:
                    messages.append(b"".join(self._parts))
                    self._parts = []
            else:
                part = data[position : position + _HEAD - len(self._head)]
                step = len(part)
                self._head += part
                if len(self._head) == _HEAD:
                    self._begin(int.from_bytes(self._head, "big"), messages)
                    self._head = b""
            position += step
        return messages

    def finish(self) -> list[Message]:
        """Nothing: a message that was cut off is none."""
        self._parts = []
        return []

    @staticmethod
    def wrap(message: bytes) -> bytes:
        """With its length before it."""
        return len(message).to_bytes(_HEAD, "big") + message

    def _begin(self, size: int, messages: list[Message]) -> None:
        if size > self._limit:
            self._skipped = size
            messages.append(TooLong(self._limit))
        elif size:
            self._missing = size
        else:
            messages.append(b"")
