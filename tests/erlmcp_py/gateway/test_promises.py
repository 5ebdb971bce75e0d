"""What a server has promised to tell of is told of, whenever its process dies; in virtual time, with links in
memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from erlmcp_py.client import connection
from erlmcp_py.client.calls import Answer, Call
from erlmcp_py.client.errors import ConnectError
from erlmcp_py.client.where import ByCommand
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.process import GatewayProcess
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.protocol.jsonrpc import Response, raw
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.process import Honour
from supervisors import Supervisor, SupFlags, call, current_runtime, exit_signal, whereis
from supervisors.testing import run

from .test_steward import Above, Program, checkpoints

STARTS = {"soon": 0.5, "late": 10.0}
"""Seconds that programs take to start."""
BREAKS, REPAIRED = 5.0, 60.0
"""Seconds until "broken" cannot be started, and until it can."""
HELLO = {
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"resources": {"subscribe": True}},
    "resultType": "complete",
}


class Having(Program):
    """A link to a program that has one resource."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    async def send(self, call: Call) -> Answer:
        match call.method:
            case "server/discover":
                return Response(1, raw(HELLO))
            case "resources/list":
                listed = [{"uri": f"mem://{self._name}", "name": self._name}]
                return Response(1, raw({"resources": listed, "resultType": "complete"}))
            case "resources/templates/list":
                return Response(1, raw({"resourceTemplates": [], "resultType": "complete"}))
        return await trio.sleep_forever()


@pytest.fixture(autouse=True)
def having(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(where: ByCommand, *_: Any) -> AsyncIterator[Program]:
        name = where.command.argv[0]
        if name == "broken" and current_runtime().now() < REPAIRED:
            await trio.sleep_until(BREAKS)
            raise ConnectError("it does not start")
        await trio.sleep(STARTS.get(name, 0.0))
        yield Having(name)

    monkeypatch.setattr(connection, "open_link", opened)


class Node(Supervisor):
    def init(self, face: Face) -> Any:
        each = [Above.child_spec(one, id=one.name) for one in face.upstreams]
        server = GatewayProcess.child_spec(
            face, InFlight(), id="server", name=f"server_{face.name}"
        )
        return SupFlags("one_for_one", 100, 1), [*each, server]


async def serve(*names: str) -> tuple[Upstream, ...]:
    """All of them together."""
    now = current_runtime().now
    found = tuple(
        Upstream(name, UpstreamConfig(command=name), now, StateSealer()) for name in names
    )
    for each in found:
        each.faces = ("all",)
    await Node.start_link(Face("all", found, together=True))
    return found


async def promise(uri: str) -> None:
    wanted = SubscriptionFilter(resource_subscriptions=[uri])
    assert await call("server_all", Honour(wanted)) == ("all", wanted)


def test_a_promise_outlives_the_process_that_made_it() -> None:
    async def main(known: float | None, step: int) -> float:
        _, late = await serve("soon", "late")
        await promise("mem://late")
        assert late.hello is None
        if known is not None:
            await trio.sleep_until(known)
            await checkpoints(step)
            server = whereis("server_all")
            assert server is not None
            exit_signal(server, "kill")
        await late.known()
        known = current_runtime().now()
        await trio.sleep(60)
        assert "mem://late" in late.followed
        return known

    known = run(main, None, 0, seed=1)
    for step in range(30):
        run(main, known, step, seed=step)


def test_a_promise_is_kept_for_one_that_was_down_when_the_others_were_known() -> None:
    async def main() -> None:
        _, late, broken = await serve("soon", "late", "broken")
        await promise("mem://broken")
        await late.known()
        assert broken.is_down
        assert broken.hello is None
        await trio.sleep_until(REPAIRED + 120)
        assert broken.is_up
        assert "mem://broken" in broken.followed

    run(main)
