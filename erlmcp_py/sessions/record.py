"""What a legacy session is made of, and what a request of it has to know."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    Implementation,
    InitializeParams,
    LogLevel,
)
from erlmcp_py.sessions.streams import EventStreams


class SessionWishes(msgspec.Struct, frozen=True):
    """What the client has asked of its session since it was opened.

    log_level: least severe level (`logging/setLevel`), None: never said. uris: the resources it
    subscribed to.
    """

    log_level: LogLevel | None = None
    uris: frozenset[str] = frozenset()


class Kept:
    """What of a session outlives its process. The wishes are replaced whole, never half."""

    __slots__ = ("streams", "wishes")

    def __init__(self) -> None:
        self.wishes = SessionWishes()
        self.streams = EventStreams()


class SessionRecord(msgspec.Struct, frozen=True):
    """Everything a session process needs to start, and to start again after a crash.

    id: the `Mcp-Session-Id`. server: name of the server it was opened on, None for the one
    behind ``/mcp``. params: what the client said in `initialize`. version: the negotiated
    revision. created_at: seconds on the runtime's clock. subject: under which name the changes of
    its server are published, None if they are not. kept: what outlives the process.
    """

    id: str
    server: str | None
    params: InitializeParams
    version: str
    created_at: float
    subject: str | None = None
    kept: Kept = msgspec.field(default_factory=Kept)


class SessionView(msgspec.Struct, frozen=True):
    """The part of a session that travels with each of its requests.

    log_level: least severe level the client asked for by `logging/setLevel`; None: never asked.
    streams: what was sent, for a client that has to be sent it again.
    """

    id: str
    server: str | None
    version: str
    client_info: Implementation
    client_capabilities: ClientCapabilities
    log_level: LogLevel | None
    streams: EventStreams
