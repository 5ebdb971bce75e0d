"""What a legacy session is made of, and what a request of it has to know."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    Implementation,
    InitializeParams,
    LogLevel,
)
from erlmcp_py.sessions.streams import MAX_BYTES, MAX_STREAMS, EventStreams
from erlmcp_py.sessions.wishes import Wishes


class Kept:
    """What of a session outlives its process. The wishes and the view are replaced whole, never half.

    view: what the process says of the session; None before there was one. Only the process writes it.
    """

    __slots__ = ("streams", "view", "wishes")

    def __init__(self, max_bytes: int = MAX_BYTES, max_streams: int = MAX_STREAMS) -> None:
        self.wishes = Wishes()
        self.view: SessionView | None = None
        self.streams = EventStreams(max_bytes, max_streams)


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
