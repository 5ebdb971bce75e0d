"""The tree of a node, started inside the test: every child starts, and what falls comes back."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.config import Config, HttpConfig, LogConfig
from erlmcp_py.loading import load_application, load_servers
from erlmcp_py.node import NAME
from erlmcp_py.ops.health import report
from erlmcp_py.tree import Node, Parts, child_specs
from supervisors import (
    ChildSpec,
    Pid,
    Runtime,
    exit_signal,
    monitor,
    receive,
    spawn,
    trap_exit,
    whereis,
    which_children,
)

CONFIG = msgspec.structs.replace(Config(), http=HttpConfig(port=0), log=LogConfig(level="critical"))


@pytest.fixture
async def node() -> AsyncIterator[None]:
    applications = tuple(load_application(name) for name in CONFIG.applications.start)
    parts = Parts(load_servers(CONFIG.servers), None, applications, lambda pid: None)
    up = trio.Event()

    async def keep() -> None:
        trap_exit()
        await Node.start_link(child_specs(CONFIG, parts), name=NAME)
        up.set()
        await receive(lambda message: message == "down")

    async with Runtime("test"):
        keeper = spawn(keep)
        with trio.fail_after(10):
            await up.wait()
        yield
        exit_signal(keeper, "kill")


async def places(of: str | Pid = NAME, above: str = NAME) -> dict[str, Pid]:
    """Every place of the tree with the process that is in it."""
    found: dict[str, Pid] = {}
    for child in await which_children(of):
        place = f"{above}/{child.id}"
        assert isinstance(child.pid, Pid), f"{place} does not run"
        found[place] = child.pid
        if child.type == "supervisor" and child.id not in ("http_connections",):
            found |= await places(child.pid, place)
    return found


async def kill(name: str) -> None:
    """Kill a registered process and wait until somebody else has its name."""
    before = whereis(name)
    assert before is not None
    exit_signal(before, "kill")
    with trio.fail_after(10):
        while whereis(name) in (None, before):
            await trio.sleep(0.001)


async def get(path: str) -> int:
    """The status of a GET on the node's listener."""
    info = (await registry.transports())["http"].info
    async with await trio.open_tcp_stream(info["host"], info["port"]) as stream:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        await stream.send_all(head.encode())
        data = b""
        async for chunk in stream:
            data += chunk
    return int(data.split()[1])


EXPECTED = {
    "node/core",
    "node/core/registry",
    "node/core/sessions_sup",
    "node/core/sessions_sup/session_pool",
    "node/core/sessions_sup/sessions",
    "node/core/servers",
    "node/core/servers/simple",
    "node/core/servers/calculator",
    "node/core/servers/weather",
    "node/core/transports",
    "node/core/transports/http",
    "node/core/transports/http/http_connections",
    "node/core/transports/http/http_socket",
    "node/core/transports/http/http_listener",
    "node/observe",
    "node/observe/log",
    "node/observe/health",
    "node/chaos",
}


async def test_every_child_of_every_supervisor_starts(node: None) -> None:
    assert (await places()).keys() >= EXPECTED
    assert set(await registry.servers()) == {"simple", "calculator", "weather"}
    assert set(await registry.transports()) == {"http"}
    assert await registry.default() == "simple"


async def test_a_killed_server_comes_back_under_its_name_and_disturbs_nobody(node: None) -> None:
    before = await places()
    await kill("server_weather")
    with trio.fail_after(10):
        pid = await registry.lookup_soon("weather")
    after = await places()
    assert after.pop("node/core/servers/weather") == pid
    assert before.pop("node/core/servers/weather") != pid
    assert after == before


async def test_a_killed_registry_restarts_the_core_and_is_filled_again(node: None) -> None:
    before = await places()
    port = (await registry.transports())["http"].info["port"]
    await kill("registry")
    with trio.fail_after(10):
        while "http" not in await registry.transports():
            await trio.sleep(0.001)
    after = await places()
    assert after.keys() == before.keys()
    moved = {place for place in after if after[place] != before[place]}
    assert moved == {place for place in after if place.startswith("node/core/")}
    assert set(await registry.servers()) == {"simple", "calculator", "weather"}
    assert (await registry.transports())["http"].info["port"] == port
    assert await registry.default() == "simple"
    assert await get("/ping") == 200


@pytest.mark.parametrize("victim", ["log", "health", "observe"])
async def test_observers_fall_without_touching_the_core(node: None, victim: str) -> None:
    before = await places()
    await kill(victim)
    with trio.fail_after(10):
        while whereis("log") is None or whereis("health") is None:
            await trio.sleep(0.001)
    after = await places()
    core = {place for place in before if place.startswith("node/core")}
    assert {place: after[place] for place in core} == {place: before[place] for place in core}


async def test_the_node_becomes_ready_and_the_probes_say_so(node: None) -> None:
    with trio.fail_after(10):
        while not (await report()).ready:
            await trio.sleep(0.001)
    components = {component.id: component.status for component in (await report()).components}
    assert components.keys() == {"registry", "servers", "sessions", "transports", "node", "system"}
    assert [await get(path) for path in ("/health", "/ready", "/live", "/ping")] == [200] * 4


async def test_the_root_stops_its_children_in_reverse_order(node: None) -> None:
    names = ["registry", "sessions_sup", "servers", "transports", "log", "chaos", "node"]
    ended: list[str] = []
    done = trio.Event()

    async def watch() -> None:
        refs = {monitor(whereis(name)): name for name in names}
        exit_signal(whereis("node"), "shutdown")
        while refs:
            message: Any = await receive()
            ended.append(refs.pop(message[1]))
        done.set()

    # Only its parent's signal is an order to shut down; anybody's "kill" would orphan the tree.
    keeper = next(iter(await _parents("node")))
    spawn(watch)
    exit_signal(keeper, "kill")
    with trio.fail_after(10):
        await done.wait()
    assert ended == ["chaos", "log", "transports", "servers", "sessions_sup", "registry", "node"]


async def _parents(name: str) -> list[Pid]:
    from supervisors import process_info

    pid = whereis(name)
    assert pid is not None
    info = process_info(pid)
    assert info is not None
    assert info.parent is not None
    return [info.parent]


def test_specs_of_supervisors_wait_for_their_children() -> None:
    parts = Parts({}, None, (ChildSpec("extra", (os.getpid, ())),), lambda pid: None)
    specs = {spec.id: spec for spec in child_specs(CONFIG, parts)}
    assert list(specs) == ["core", "observe", "extra"]
    assert specs["core"].shutdown == math.inf
