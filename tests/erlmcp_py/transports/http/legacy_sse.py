"""A server and sessions over HTTP+SSE, the transport of 2024-11-05."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import trio

from erlmcp_py.server import Context, Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.net.supervisor import connections
from supervisors import Pid
from tests.erlmcp_py.transports.http.client import (
    Sse,
    connect,
)
from tests.erlmcp_py.transports.node import Probe, make_server

HTTP = ListenerConfig(port=0)

UNKNOWN = "x" * 32


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


def make(probe: Probe | None = None) -> Server:
    server = make_server(probe or Probe())

    @server.tool()
    async def greet(ctx: Context) -> str:
        """Ask."""
        return f"Hello, {(await ctx.elicit(Name)).name}!"

    @server.tool()
    async def flood(ctx: Context, count: int) -> str:
        """Say more than anybody wants to hear."""
        for number in range(count):
            ctx.log("error", f"{number} " + "x" * 10_000)
            if number % 100 == 0:
                await trio.lowlevel.checkpoint()
        return "flooded"

    @server.resource("a:fixed")
    def fixed() -> str:
        """A resource."""
        return "fixed"

    return server


@contextlib.asynccontextmanager
async def session(path: str = "/sse") -> AsyncIterator[Sse]:
    """One that has shaken hands."""
    async with connect() as reader, connect() as poster:
        sse = await Sse(reader, poster).open(path)
        await sse.shake_hands()
        yield sse


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def request(id: int | str, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


async def streaming() -> list[Pid]:
    """The processes that hold a stream open."""
    return [each.pid for each in await connections("http") if each.waiting and each.pid is not None]


async def idle() -> bool:
    return not await streaming()


async def eventually(condition: Callable[[], Any]) -> None:
    with trio.fail_after(5):
        while not await condition():
            await trio.sleep(0.005)
