"""From HTTP to WebSocket: the connection goes on in the same process, with another protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.refusals import EXHAUSTED
from erlmcp_py.transports.http.answering import write_answer
from erlmcp_py.transports.http.calling import find_server
from erlmcp_py.transports.http.plans import Answer, OpenSocket, refused_stream
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.response import switching

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection


async def open_socket(connection: Connection, http: HttpRequest, plan: OpenSocket) -> None:
    """Answer the handshake; the connection goes on from there."""
    server = await find_server(connection, plan.server, None)
    if isinstance(server, Answer):
        write_answer(connection, http, server)
        return
    settings, endpoint = connection.config.websocket, connection.endpoint
    assert settings is not None, "nobody plans what is not served"
    if endpoint.sockets >= settings.connections:
        text = f"{settings.connections} WebSockets are open here, as many as may be"
        write_answer(connection, http, refused_stream(refused(EXHAUSTED, text)))
        return
    # `websockets` is loaded by nodes that have such a client.
    from erlmcp_py.transports.websocket.connection import WebSocket

    connection.wire.write(switching(plan.headers))
    connection.socket = WebSocket(connection, settings, plan.server)
    endpoint.sockets += 1
