"""What a legacy session is made of, and what a request of it has to know."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    Implementation,
    InitializeParams,
    LogLevel,
)


class SessionRecord(msgspec.Struct, frozen=True):
    """Everything a session process needs to start, and to start again after a crash.

    id: the `Mcp-Session-Id`. server: name of the server it was opened on, None for the one
    behind ``/mcp``. params: what the client said in `initialize`. version: the negotiated
    revision. created_at: seconds on the runtime's clock.
    """

    id: str
    server: str | None
    params: InitializeParams
    version: str
    created_at: float


class SessionView(msgspec.Struct, frozen=True):
    """The part of a session that travels with each of its requests.

    log_level: least severe level the client asked for by `logging/setLevel`; None: never asked.
    """

    id: str
    server: str | None
    version: str
    client_info: Implementation
    client_capabilities: ClientCapabilities
    log_level: LogLevel | None
