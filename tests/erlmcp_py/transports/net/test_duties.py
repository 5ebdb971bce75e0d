"""A pool of connections, or of requests, answers as a supervisor of temporary children."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from erlmcp_py.transports import asgi
from supervisors import (
    ChildCounts,
    SupervisorError,
    call,
    count_children,
    is_alive,
    terminate_child,
    which_children,
)
from tests.erlmcp_py.transports.asgi.host import hosting
from tests.erlmcp_py.transports.http.client import modern_call
from tests.erlmcp_py.transports.messages import modern
from tests.erlmcp_py.transports.node import Probe, make_server, until
from tests.erlmcp_py.transports.tcp.client import listening


@asynccontextmanager
async def one_at_work(pool: str, probe: Probe) -> AsyncIterator[None]:
    """A pool with one child, which waits for a call that hangs."""
    if pool == "asgi":
        async with hosting(asgi.application(make_server(probe))) as host:
            host.open(**modern_call("hang"))
            await probe.started.wait()
            yield
    else:
        async with listening(probe) as world, world.client() as client:
            await client.say(modern("hang", 1))
            await probe.started.wait()
            yield


@pytest.mark.parametrize(
    ("pool", "module"),
    [
        ("tcp_connections", "erlmcp_py.transports.tcp.connection.TcpConnection"),
        ("asgi", "erlmcp_py.transports.asgi.exchange.Exchange"),
    ],
)
async def test_a_pool_is_asked_as_a_supervisor_is(pool: str, module: str) -> None:
    probe = Probe()
    async with one_at_work(pool, probe):
        (child,) = await which_children(pool)
        assert (child.id, child.type, child.modules) == (None, "worker", (module,))
        assert await count_children(pool) == ChildCounts(
            specs=1, active=1, supervisors=0, workers=1
        )
        assert await call(pool, "no_request") == ("error", ("unknown_request", "no_request"))
        pid = child.pid
        assert pid is not None
        await terminate_child(pool, pid)
        await until(lambda: not is_alive(pid))
        await until(probe.cancelled.is_set)
        assert await which_children(pool) == []
        with pytest.raises(SupervisorError, match="not_found"):
            await terminate_child(pool, pid)
