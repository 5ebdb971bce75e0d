"""Messages on a TCP connection, in either framing: play them to a node."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import trio
import trio.testing

from erlmcp_py import registry
from supervisors import Report
from tests.crash.channels import TcpChannel
from tests.crash.wire import Closed
from tests.erlmcp_py.transports.tcp.client import Framing
from tests.fuzz.channel import GOOD
from tests.fuzz.world import PATIENCE, tcp_node


def play(messages: Sequence[bytes], framing: Framing) -> tuple[list[Any], list[Report]]:
    """What the node says to these and a good request behind them, and what it reported."""
    said: list[Any] = []
    reported: list[Report] = []

    async def main() -> None:
        async with tcp_node(framing) as reports:
            info = (await registry.transports())["tcp"].info
            channel = TcpChannel(await trio.open_tcp_stream(info["host"], info["port"]))
            channel.framing = framing
            # Begins with white space: a first byte of 0 is the beginning of a length.
            data = b"".join(map(channel.wrap, (b" ", *messages, json.dumps(GOOD).encode())))

            async def send() -> None:
                await channel.stream.send_all(data)
                await channel.finish()

            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send)
                    try:
                        while True:
                            said.append(await channel.receive())
                    except Closed:
                        assert channel.buffer == b""
            await channel.close()
            reported.extend(reports)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return said, reported
