"""WebSocket as a user of `erlmcp-node run` meets it, with a client that others have written."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from erlmcp_py.config import WebSocketConfig
from erlmcp_py.listening import websocket_settings
from tests.erlmcp_py.node.test_run_tcp import listen
from tests.erlmcp_py.transports.http.client import legacy_call, meta


def ask(client: ClientConnection, message: dict[str, Any]) -> Any:
    client.send(json.dumps(message))
    return json.loads(client.recv(timeout=10))


def test_it_is_served_beside_http_and_streams_end_in_order_on_sigterm(start) -> None:
    program = start("--http", "127.0.0.1:0", "--server", "examples.calculator:server")
    url = program.until(r"(ws://127\.0\.0\.1:\d+/mcp)/ws   \(WebSocket")[1]
    with connect(f"{url}/calculator/ws", subprotocols=["mcp"]) as client:
        call = legacy_call("calculate", 1, left=6, operator="*", right=7)
        call["params"]["_meta"] = meta()
        assert ask(client, call)["result"]["structuredContent"]["value"] == 42
        assert "acknowledged" in ask(client, listen("s"))["method"]
        program.process.send_signal(signal.SIGTERM)
        assert json.loads(client.recv(timeout=10))["method"] == "notifications/cancelled"
        assert json.loads(client.recv(timeout=10))["id"] == "s"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    assert program.finish()[0] == 0


def test_it_can_be_switched_off(start) -> None:
    program = start("--http", "127.0.0.1:0", ERLMCP__WEBSOCKET__ENABLED="false")
    base = program.until(r"(http://127\.0\.0\.1:\d+)/health")[1]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{base}/mcp/simple/ws")
    refused.value.close()
    assert refused.value.code == 404


def test_every_key_of_the_section_reaches_the_listener() -> None:
    made = websocket_settings(
        WebSocketConfig(
            connections=51,
            message_limit=5002,
            fragments=53,
            in_flight=54,
            waiting=5005,
            unread=5006,
            ping_interval=57.0,
            ping_timeout=58.0,
        )
    )
    assert (made.connections, made.message_limit, made.fragments) == (51, 5002, 53)
    assert (made.limits.in_flight, made.limits.waiting, made.unread) == (54, 5005, 5006)
    assert (made.ping_interval, made.ping_timeout) == (57.0, 58.0)
    assert websocket_settings(WebSocketConfig(enabled=False)) is None
