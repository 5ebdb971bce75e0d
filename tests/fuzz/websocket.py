"""Messages on a WebSocket: play them to a node.

A text that is too long or not UTF-8 ends it, as `tests/attack/websocket` looks at; here it is what
the frames carry that is almost right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import trio
import trio.testing

from erlmcp_py import registry
from supervisors import Report
from tests.crash.channels import WebSocketChannel
from tests.fuzz.channel import GOOD
from tests.fuzz.world import LINE_LIMIT, PATIENCE, http_node

QUIET: Final = 300.0
"""Seconds, on a clock that jumps, without a message: longer than any call takes."""
_NO: Final = {"jsonrpc": "2.0", "error": {"code": -1, "message": "no"}}
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


def fits(message: bytes) -> bool:
    """Whether a frame may carry it."""
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return len(message) <= LINE_LIMIT


def play(messages: Sequence[bytes]) -> tuple[list[Any], list[Report]]:
    """What the node says to these and a good request behind them, and what it reported.

    There is no half of a WebSocket to close. So streams stay open, and that one was opened stands for
    its result; and what a call asks its client has to be answered.
    """
    said: list[Any] = []
    reported: list[Report] = []

    async def main() -> None:
        async with http_node() as reports:
            info = (await registry.transports())["http"].info
            channel = WebSocketChannel(await trio.open_tcp_stream(info["host"], info["port"]))
            data = b"".join(map(channel.wrap, (*messages, json.dumps(GOOD).encode())))
            with trio.fail_after(PATIENCE):
                assert b"101" in await channel.open("/mcp/ws")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(channel.stream.send_all, data)
                    while True:
                        with trio.move_on_after(QUIET) as quiet:
                            message = await channel.receive()
                        if quiet.cancelled_caught:
                            break
                        said.append(message)
                        if "id" in message and "method" in message:
                            await channel.send(_NO | {"id": message["id"]})
                        if message.get("method") == _ACKNOWLEDGED:
                            id = message["params"]["_meta"][_SUBSCRIPTION]
                            said.append({"jsonrpc": "2.0", "id": id, "result": {}})
            await channel.close()
            reported.extend(reports)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return said, reported
