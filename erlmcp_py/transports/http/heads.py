"""Heads of requests that were read before.

A client says the same again with every call: its requests have one head, byte for byte, or a few of
them. What such a head means is found by its bytes then, and is not read, judged and refused or not a
second time. That is a third of what reading a request costs.

Only what leaves nothing open is remembered: a head that came in one piece and stands for a request whose
body has a length, on a connection that persists. And only what was seen twice, so that those who say
something else each time take no room; both tables are emptied when they are full. Everything in them
was read under one listener's limits, and judged by its policy.
"""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.transports.http.request_line import RequestLine

LONGEST: Final = 2048
"""Bytes of a head that is remembered."""
_REMEMBERED: Final = 1024


class Head:
    """What a head says.

    headers: never changed. length: of the body. post: what the endpoint makes
    of it, once it was asked.
    """

    __slots__ = ("headers", "length", "line", "post")

    def __init__(self, line: RequestLine, headers: dict[bytes, bytes], length: int) -> None:
        self.line = line
        self.headers = headers
        self.length = length
        self.post: Any = None


class Heads:
    """Those of one listener, by their bytes with the empty line."""

    __slots__ = ("_known", "_once", "get")

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self._once: set[int] = set()
        self.get = self._known.get

    def __len__(self) -> int:
        return len(self._known)

    def seen(
        self, data: bytes, line: RequestLine, headers: dict[bytes, bytes], length: int
    ) -> Head | None:
        """Take note of a head that was read; what is remembered of it, if it is."""
        if len(data) > LONGEST:
            return None
        key = hash(data)
        if key not in self._once:
            if len(self._once) >= _REMEMBERED:
                self._once.clear()
            self._once.add(key)
            return None
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        head = self._known[data] = Head(line, headers, length)
        return head
