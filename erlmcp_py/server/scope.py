"""Where a request came from, as far as its handler and its answer depend on it.

A server process serves every transport and both eras of MCP at once and keeps nothing between
requests, so whatever it must know about the caller travels with the request. The transport (or the
session, in the era that has them) fills in a `Scope` and the server reads it; neither calls the
other.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from erlmcp_py.protocol.jsonrpc import Message, Notification, RequestId
from erlmcp_py.protocol.lifecycle import ClientCapabilities, Implementation, LogLevel
from erlmcp_py.protocol.versions import Era
from supervisors import Pid


def _nowhere(_message: Message) -> bool:
    return False


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances of one request."""

    era: Era
    """"legacy" = revisions with sessions, up to 2025-11-25; "modern" = stateless ones."""
    version: str
    """The protocol revision the answer must follow, such as "2026-07-28"."""
    key: tuple[Pid, RequestId]
    """(owner, request id): names the call for `Cancel`; unique among the calls in flight."""
    notify: Callable[[Notification], None]
    """Sends a notification on the stream of this request. Called on the trio thread only."""
    client_info: Implementation | None = None
    """The client program, if it told its name."""
    client_capabilities: ClientCapabilities | None = None
    """What the client can be asked for."""
    log_level: LogLevel | None = None
    """Least severe level the client wants: the session's (legacy) or the request's (modern).
    None leaves the choice to the server (legacy) or forbids log messages (modern)."""
    close_stream: Callable[[float], None] | None = None
    """Ends the response's stream; the client comes back for the rest after so many seconds. None where
    that is not possible."""
    header: Callable[[bytes], bytes | None] | None = None
    """Looks up a header of the HTTP request by its name in lower case, where headers repeat what is in
    the body; None elsewhere."""
    principal: str | None = None
    """Who the caller is, if the transport authenticated it."""
    session: Pid | None = None
    """The session process, in the legacy era."""
    client: str | None = None
    """Names the client for as long as it stays one: its session, or the channel it has to itself. None
    in the modern era, where every request stands alone."""
    peer: Pid | None = None
    """Whom to send an `Ask`, so that the client is asked something; None in the modern era, and where
    there is no way to the client."""
    send: Callable[[Message], bool] = _nowhere
    """Puts a request of ours, or what belongs to it, on the stream of this request, where it is never
    dropped; False if nobody reads there any more."""
