"""Where a message begins and ends in a stream of bytes: a line each (`lines`), or a length before each
(`lengths`).

Both are pure: bytes in, messages out, however the bytes were cut. What is longer than the limit is
reported once, when that is known, and skipped without being kept; the next message is read as if nothing
had happened.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

from erlmcp_py.transports.framing.lengths import Lengths
from erlmcp_py.transports.framing.lines import Lines
from erlmcp_py.transports.framing.message import Message, TooLong

__all__ = ["FRAMINGS", "Framing", "Lengths", "Lines", "Message", "Name", "TooLong", "misread"]

Name = Literal["newline", "length"]


class Framing(Protocol):
    """Made with the limit of one message, in bytes; one for each direction that is read."""

    def __init__(self, limit: int) -> None: ...

    def feed(self, data: bytes) -> list[Message]:
        """Messages that became complete."""

    def finish(self) -> list[Message]:
        """What may count as a message when the input ends."""

    @staticmethod
    def wrap(message: bytes) -> bytes:
        """The message as it is sent."""


FRAMINGS: Final[dict[Name, type[Framing]]] = {"newline": Lines, "length": Lengths}

_TEXT: Final = (b"{", b"[")
"""As a head: more than any limit that can be configured."""


def misread(framing: Name, first: bytes) -> str | None:
    """Why the first bytes of a connection look like the other framing; None if they do not.

    A length of four bytes begins with 0 below 16 MiB, and JSON never does.
    """
    if framing == "newline" and first[:1] == b"\0":
        return "this listener reads a message from each line; this looks like a length before it"
    if framing == "length" and first[:1] in _TEXT:
        return (
            "this listener reads a length of four bytes (big-endian) before each message; "
            "this looks like text"
        )
    return None
