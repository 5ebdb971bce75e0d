"""The server that is fuzzed, and the node it lives in: a clock of its own, so that nothing takes time."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from erlmcp_py.server import Context, Refused, Server
from erlmcp_py.transports.http.request import HttpLimits
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec as http_listener
from erlmcp_py.transports.stdio import Channel, StdioOptions
from erlmcp_py.transports.stdio import child_spec as stdio_transport
from erlmcp_py.transports.tcp import TcpSettings
from erlmcp_py.transports.tcp import child_spec as tcp_listener
from erlmcp_py.transports.websocket.settings import WebSocketSettings
from supervisors import (
    CrashReport,
    ErrorReport,
    Report,
    SupervisorReport,
    WarningReport,
    monitor,
    receive,
    spawn,
)
from tests.erlmcp_py.transports.node import node
from tests.erlmcp_py.transports.tcp.client import Framing

SERVER: Final = "probe"
TOOLS: Final = ("echo", "crash", "fail", "later", "steps", "greet")
ASYNC: Final = ("later", "steps", "greet")
PROMPT: Final = "hello"
RESOURCE: Final = "fuzz://fixed"
TEMPLATE: Final = "fuzz://items/{id}"
LINE_LIMIT: Final = 16 * 1024
"""Bytes of a line, or of a body."""

PATIENCE: Final = 3600.0
"""Seconds, on a clock that jumps, after which something hangs."""

CURSORS: Final = ("", "AAAA", "dG9vbHM6Mg", "=", "ünï", "x" * 300)
STATES: Final = ("", "AAAA", "x" * 300, "\0")


def make_server() -> Server:
    """Something of each kind; lists of more than one page."""
    server = Server(SERVER, version="1.0", page_size=2)

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    @server.tool()
    def crash() -> str:
        """Fail."""
        raise RuntimeError("boom")

    @server.tool()
    async def fail() -> str:
        """Fail in a process of its own."""
        raise RuntimeError("boom")

    @server.tool(timeout=5.0)
    async def later(seconds: float = 0.0) -> str:
        """Wait."""
        await trio.sleep(seconds)
        return "late"

    @server.tool()
    async def steps(ctx: Context) -> str:
        """Report progress, and log."""
        for number in range(3):
            ctx.report_progress(number)
            ctx.log("info", number)
        return "done"

    class Name(msgspec.Struct):
        """What is your name?"""

        name: str

    @server.tool()
    async def greet(ctx: Context) -> str:
        """Ask."""
        try:
            return (await ctx.elicit(Name)).name
        except Refused as refused:
            return refused.action

    @server.resource(RESOURCE)
    def fixed() -> str:
        """A text."""
        return "fixed"

    @server.resource(TEMPLATE)
    def item(id: int) -> str:
        """A family."""
        return str(id)

    @server.prompt(PROMPT)
    def hello(name: str) -> str:
        """A prompt."""
        return f"Hello, {name}"

    @server.completion(PROMPT, "name")
    def complete(value: str) -> list[str]:
        """Two names."""
        return [value + "a", value + "b"]

    return server


def faults(reports: list[Report]) -> list[Report]:
    """The reports that nobody meant: of anything but the two tools that crash."""
    return [
        report
        for report in reports
        if isinstance(report, CrashReport | ErrorReport | SupervisorReport | WarningReport)
        and not (
            isinstance(report, CrashReport)
            and str(report.label).endswith(("tools/call:crash", "tools/call:fail"))
        )
    ]


HTTP: Final = ListenerConfig(
    port=0,
    limits=HttpLimits(max_body=LINE_LIMIT),
    websocket=WebSocketSettings(message_limit=LINE_LIMIT),
)


@asynccontextmanager
async def http_node() -> AsyncIterator[list[Report]]:
    """A node with a listener."""
    async with node({SERVER: make_server()}, http_listener(HTTP)) as reports:
        yield reports


@asynccontextmanager
async def tcp_node(framing: Framing) -> AsyncIterator[list[Report]]:
    """A node with a TCP listener."""
    settings = TcpSettings(port=0, framing=framing, message_limit=LINE_LIMIT)
    async with node({SERVER: make_server()}, tcp_listener(settings)) as reports:
        yield reports


class Ends:
    """The client's ends of two pipes."""

    def __init__(self, write: int, read: int) -> None:
        self.write = trio.lowlevel.FdStream(write)
        self.read = trio.lowlevel.FdStream(read)

    async def all(self) -> bytes:
        """Everything until the server has closed."""
        return b"".join([data async for data in self.read])


@asynccontextmanager
async def stdio_node() -> AsyncIterator[tuple[Ends, list[Report]]]:
    """A node on two pipes; its ends close when its transport has ended."""
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    ends = Ends(client_out, client_in)
    channel = Channel(server_in, server_out, LINE_LIMIT)
    options = StdioOptions()
    try:
        async with node({SERVER: make_server()}, stdio_transport(options, channel)) as reports:
            ended = trio.Event()

            async def close() -> None:
                monitor(options.name)
                try:
                    await receive()
                finally:
                    os.close(server_in)
                    os.close(server_out)
                    ended.set()

            spawn(close)
            yield ends, reports
            await ended.wait()
    finally:
        await ends.write.aclose()
        await ends.read.aclose()
