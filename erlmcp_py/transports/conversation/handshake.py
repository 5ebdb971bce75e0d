"""Under which circumstances a request runs: its era, its revision, and the way back to its client.

A request whose `_meta` names a protocol version is modern and stands alone; `initialize` makes the
client a legacy one for as long as it stays (MCP 2026-07-28, versioning). Both may come from the same
client.
"""

from __future__ import annotations

from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.lifecycle import InitializeParams
from erlmcp_py.protocol.meta import find_meta, read_meta
from erlmcp_py.protocol.versions import LEGACY, negotiate_legacy
from erlmcp_py.server.scope import Scope
from erlmcp_py.transports.conversation.memory import Handshake, Memory
from erlmcp_py.transports.outlet import Outlet, Unread
from supervisors import Pid


def circumstances(request: Request, memory: Memory, pid: Pid, client: str, unread: Unread) -> Scope:
    """The scope of a request; `initialize` is noted in the memory. Raises McpError.

    pid: the process that serves the client. client: names it for as long as it stays one. unread:
    counts the news for it that wait.
    """
    outlet, key = Outlet(pid, unread), (pid, request.id)
    if request.method == "initialize":
        params = params_as(request, InitializeParams)
        memory.handshake = Handshake(params, negotiate_legacy(params.protocol_version))
    elif (meta := find_meta(request)) is not None or memory.handshake is None:
        if meta is None and request.method == "ping":
            # The one request allowed before the handshake (MCP 2025-11-25, lifecycle).
            return Scope(era="legacy", version=LEGACY[0], key=key, notify=outlet)
        meta = meta or read_meta(request)
        return Scope(
            era="modern",
            version=meta.version,
            key=key,
            notify=outlet,
            client_info=meta.client_info,
            client_capabilities=meta.client_capabilities,
            log_level=meta.log_level,
        )
    shaken = memory.handshake
    return Scope(
        era="legacy",
        version=shaken.version,
        key=key,
        notify=outlet,
        client=client,
        peer=pid,
        send=outlet.ask,
        client_info=shaken.params.client_info,
        client_capabilities=shaken.params.capabilities,
        log_level=shaken.wishes.log_level,
    )
