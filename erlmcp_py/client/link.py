"""A link: one connection that has agreed on a revision, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from erlmcp_py.client.calls import Answer, Call
from erlmcp_py.protocol.lifecycle import Implementation, ServerCapabilities
from erlmcp_py.protocol.versions import Era


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """What the server has said of itself. server_info: None if it did not (2026-07-28 allows that).
    versions: the revisions it says it speaks; of an older one the only one that is known.
    """

    era: Era
    version: str
    server_info: Implementation | None
    capabilities: ServerCapabilities
    instructions: str | None
    versions: tuple[str, ...] = ()


class Link(Protocol):
    """What the rest of the client sees of a connection.

    keeps_time: whether `send` ends with TimeIsUp when a call has reached its deadline; otherwise its
    caller has to see to that.
    """

    keeps_time: bool

    era: Era
    version: str
    hello: Hello | None

    async def send(self, call: Call) -> Answer:
        """Send the request and wait for its answer.

        Cancelled, it tells the server. Raises ConnectError, ConnectionLost, SessionLost, BadAnswer,
        HttpStatus, and TimeIsUp if it keeps time.
        """

    async def tell(self, method: str, params: Any) -> None:
        """Send a notification. Raises as `send`."""

    def greeted(self, hello: Hello) -> None:
        """The revision is agreed on."""

    async def attend(self) -> None:
        """In the connection's process: what the link needs beside requests, until it is lost, which it
        says by an exception as `send` does.
        """

    async def listening(self) -> None:
        """Wait until the server can be heard that speaks unasked."""

    def lose(self, make: Callable[[], BaseException]) -> None:
        """It is gone: end what is in flight."""
