"""A link for each kind of place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from erlmcp_py.client.duplex import DuplexLink
from erlmcp_py.client.identity import Identity
from erlmcp_py.client.inbox import Inbox
from erlmcp_py.client.link import Link
from erlmcp_py.client.where import AtSocket, AtUrl, AtWebSocket, ByCommand, Where

MESSAGE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one message of a server."""


@asynccontextmanager
async def open_link(where: Where, identity: Identity, inbox: Inbox) -> AsyncIterator[Link]:
    """A link that has not greeted its server yet. Raises ConnectError.

    WHY the imports inside: a program that talks HTTP starts faster without what starts programs, and
    the other way round.
    """
    if isinstance(where, AtUrl):
        from erlmcp_py.client.http.link import HttpLink

        http = HttpLink(where, identity, inbox)
        try:
            yield http
        finally:
            await http.leave()
    elif isinstance(where, ByCommand):
        from erlmcp_py.client.channels.stdio import open_stdio

        async with open_stdio(
            where.command,
            MESSAGE_LIMIT,
            on_stderr=where.on_stderr,
            on_port=where.on_port,
            graces=where.graces,
            end_daemons=where.end_daemons,
        ) as pipes:
            yield DuplexLink(pipes, identity, inbox)
    elif isinstance(where, AtSocket):
        from erlmcp_py.client.channels.sockets import open_socket

        async with open_socket(where.host, where.port, where.framing, MESSAGE_LIMIT) as channel:
            yield DuplexLink(channel, identity, inbox)
    elif isinstance(where, AtWebSocket):
        from erlmcp_py.client.channels.websocket import open_websocket

        async with open_websocket(where, MESSAGE_LIMIT) as frames:
            yield DuplexLink(frames, identity, inbox)
    else:
        from erlmcp_py.client.local import open_local

        async with open_local(where.server, identity, inbox) as local:
            yield local


@asynccontextmanager
async def open_events(where: AtUrl, identity: Identity, inbox: Inbox) -> AsyncIterator[Link]:
    """The same over the HTTP+SSE transport of 2024-11-05."""
    from erlmcp_py.client.channels.events import open_event_stream

    async with open_event_stream(where) as channel:
        yield DuplexLink(channel, identity, inbox)
