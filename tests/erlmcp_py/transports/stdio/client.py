"""A client on two pipes, and a node to talk to."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import trio
import trio.lowlevel

from erlmcp_py.transports.stdio import Channel, StdioOptions, child_spec
from tests.erlmcp_py.transports.node import Probe, make_server, node


class Pipes:
    """The client's ends."""

    def __init__(self, write: int, read: int) -> None:
        self.input = trio.lowlevel.FdStream(write)
        self.output = trio.lowlevel.FdStream(read)
        self.buffer = b""

    async def send(self, *messages: dict[str, Any] | bytes) -> None:
        data = b""
        for message in messages:
            data += message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        await self.input.send_all(data)

    async def receive(self) -> Any:
        """The next line, decoded; None at the end of the output."""
        with trio.fail_after(10):
            while b"\n" not in self.buffer:
                data = await self.output.receive_some(65536)
                if not data:
                    assert self.buffer == b""
                    return None
                self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    async def ask(self, message: dict[str, Any]) -> Any:
        await self.send(message)
        return await self.receive()


@contextlib.asynccontextmanager
async def client(
    probe: Probe | None = None,
    options: StdioOptions | None = None,
    line_limit: int = 1 << 20,
    strategy: str = "one_for_one",
) -> AsyncIterator[Pipes]:
    """A node whose stdio transport talks to the pipes; the server's ends are the caller's to close."""
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    pipes = Pipes(client_out, client_in)
    try:
        channel = Channel(server_in, server_out, line_limit)
        spec = child_spec(options or StdioOptions(), channel)
        async with node({"probe": make_server(probe or Probe())}, spec, strategy=strategy):
            yield pipes
    finally:
        os.close(server_in)
        os.close(server_out)
        await pipes.input.aclose()
        await pipes.output.aclose()
