"""What a two-way link asks of that which carries its messages."""

from __future__ import annotations

from typing import Protocol

from erlmcp_py.transports.framing import Message


class Garbage(Exception):
    """The other side sends what cannot be a message."""


class Channel(Protocol):
    """Whole messages, in order. Raises OSError and ConnectionLost."""

    async def receive(self) -> list[Message]:
        """What has come, at least one; empty at the end."""

    def write(self, message: bytes) -> None:
        """Send it, as soon as there is room. Raises ConnectionLost if nothing can be sent any more."""

    @property
    def full(self) -> bool:
        """Whether much is unsent."""

    async def room(self) -> None:
        """Wait as long as it is full."""

    async def run(self) -> None:
        """Beside the reader, for as long as the channel is open: sends what had to wait."""

    def why(self) -> str:
        """What is known of the end, such as how the program exited."""
