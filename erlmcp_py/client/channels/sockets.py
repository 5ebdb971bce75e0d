"""A server on a TCP port or a Unix socket, messages cut by newlines or lengths."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from trio.lowlevel import notify_closing

from erlmcp_py.client.channels.channel import Channel
from erlmcp_py.client.channels.descriptors import DescriptorChannel, reader
from erlmcp_py.client.errors import ConnectError
from erlmcp_py.transports.framing import FRAMINGS, Name

CONNECT_TIMEOUT: Final = 10.0
"""Seconds."""


@asynccontextmanager
async def open_socket(
    host: str, port: int | None, framing: Name, limit: int
) -> AsyncIterator[Channel]:
    """Connect; port None: `host` is the path of a Unix socket. Raises ConnectError.

    limit: bytes of a message.
    """
    where = host if port is None else f"{host}:{port}"
    try:
        with trio.fail_after(CONNECT_TIMEOUT):
            if port is None:
                stream = await trio.open_unix_socket(host)
            else:
                stream = await trio.open_tcp_stream(host, port)
    except trio.TooSlowError:
        raise ConnectError(f"{where}: no connection within {CONNECT_TIMEOUT:g} s") from None
    except OSError as problem:
        raise ConnectError(f"{where}: no connection: {problem.strerror or problem}") from None
    connected = socket.socket(fileno=stream.socket.detach())
    connected.setblocking(False)
    try:
        yield DescriptorChannel(
            FRAMINGS[framing](limit),
            read=reader(connected),
            writable=connected,
            send=connected.send,
            why=lambda: f"{where} closed the connection",
        )
    finally:
        notify_closing(connected)
        connected.close()
