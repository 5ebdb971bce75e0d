"""A proxy between two ends of a test's own, and what those see of it."""

from __future__ import annotations

import gc
import os
from typing import Any

import trio

from chaos import proxy
from chaos.proxy import ProxySettings, Toxic
from chaos.proxy.pool import ProxyStatistics
from erlmcp_py.transports.net.address import parse_address
from supervisors import Report


class World:
    """A proxy called "web", and the server that it forwards to."""

    def __init__(self, listener: trio.SocketListener, reports: list[Report]) -> None:
        self.listener = listener
        self.reports = reports

    @property
    def upstream(self) -> tuple[str, int]:
        host, port = self.listener.socket.getsockname()
        return host, port

    async def start(self, *toxics: Toxic, **more: Any) -> ProxyStatistics:
        return await proxy.start(
            ProxySettings(
                name="web",
                upstream=self.upstream,
                toxics={each.kind: each for each in toxics},
                **more,
            )
        )

    async def dial(self) -> trio.SocketStream:
        found = await proxy.statistics("web")
        return await trio.open_tcp_stream(*parse_address(found.listen))

    async def pair(self) -> tuple[trio.SocketStream, trio.SocketStream]:
        """The client's and the server's end of a connection."""
        client = await self.dial()
        return client, await self.listener.accept()


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a count of names


async def read(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        assert more, f"ended after {data!r}"
        data += more
    return data


async def is_reset(stream: trio.SocketStream) -> bool:
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        return True
    return False


async def gone(count: int = 0) -> ProxyStatistics:
    """Wait until so many connections are open."""
    with trio.fail_after(30):
        while (found := await proxy.statistics("web")).open != count:
            await trio.sleep(0.01)
    return found
