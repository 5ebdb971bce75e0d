"""The tree of a node, started inside the test: every child starts, and what falls comes back."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from erlmcp_py import registry
from erlmcp_py.application import ROOT, start_further, start_node
from erlmcp_py.config import Config, HttpConfig, LogConfig
from erlmcp_py.console.applications import beside
from erlmcp_py.loading import load_application, load_servers
from erlmcp_py.ops.health import report
from erlmcp_py.parts import Parts
from erlmcp_py.tree import child_specs
from supervisors import (
    ChildSpec,
    Pid,
    ProgressReport,
    Runtime,
    application,
    exit_signal,
    monitor,
    process_info,
    receive,
    spawn,
    whereis,
    which_children,
)
from supervisors.testing import events, restart_of

CONFIG = msgspec.structs.replace(Config(), http=HttpConfig(port=0), log=LogConfig(level="critical"))


@pytest.fixture
async def node() -> AsyncIterator[None]:
    parts = Parts(load_servers(CONFIG.servers), None, lambda pid: None)
    further = [load_application(name) for name in CONFIG.applications.start]
    async with Runtime("test"):
        with trio.fail_after(10):
            await start_node(child_specs(CONFIG, parts))
            assert await start_further(further, ()) == ["chaos"]
        yield
        await application.stop_all()


async def places(of: str | Pid = ROOT, above: str = ROOT) -> dict[str, Pid]:
    """Every place of the tree with the process that is in it."""
    found: dict[str, Pid] = {}
    for child in await which_children(of):
        place = f"{above}/{child.id}"
        assert isinstance(child.pid, Pid), f"{place} does not run"
        found[place] = child.pid
        if child.type == "supervisor" and child.id not in ("http_connections",):
            found |= await places(child.pid, place)
    if of == ROOT:
        for top in await beside(pid_of(ROOT)):
            found |= await places(top.pid, f"{above}/{top.id}")
    return found


def pid_of(name: str) -> Pid:
    pid = whereis(name)
    assert pid is not None, f"{name} does not run"
    return pid


async def killed(name: str, supervisor: str, id: str | None = None) -> Pid:
    """Kill a registered process; the one that its supervisor has started instead."""
    victim = pid_of(name)
    return await restart_of(supervisor, id or name, lambda: exit_signal(victim, "kill"), within=10)


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
    "node/guards",
    "node/guards/drain",
    "node/observe",
    "node/observe/log",
    "node/observe/health",
    "node/observe/watchdog",
    "node/observe/os_mon",
    "node/observe/os_mon/alarm_handler",
    "node/observe/os_mon/memsup",
    "node/observe/os_mon/disksup",
    "node/observe/os_mon/cpu_sup",
    "node/chaos/chaos_reports",
    "node/chaos/chaos_experiments",
    "node/chaos/chaos_proxies",
    "node/chaos/chaos_commands",
}


async def test_every_child_of_every_supervisor_starts(node: None) -> None:
    assert (await places()).keys() >= EXPECTED
    assert set(await registry.servers()) == {"simple", "calculator", "weather"}
    assert set(await registry.transports()) == {"http"}
    assert await registry.default() == "simple"


async def test_a_killed_server_comes_back_under_its_name_and_disturbs_nobody(node: None) -> None:
    before = await places()
    pid = await killed("server_weather", "servers", "weather")
    assert await registry.lookup("weather") == pid
    after = await places()
    assert after.pop("node/core/servers/weather") == pid
    assert before.pop("node/core/servers/weather") != pid
    assert after == before


async def test_a_killed_registry_restarts_the_core_and_is_filled_again(node: None) -> None:
    before = await places()
    port = (await registry.transports())["http"].info["port"]
    with events() as seen:
        await killed("registry", "core")
        await seen.wait(ProgressReport, lambda report: report.started["id"] == "transports")
    after = await places()
    assert after.keys() == before.keys()
    moved = {place for place in after if after[place] != before[place]}
    assert moved == {place for place in after if place.startswith("node/core/")}
    assert set(await registry.servers()) == {"simple", "calculator", "weather"}
    assert (await registry.transports())["http"].info["port"] == port
    assert await registry.default() == "simple"
    assert await get("/ping") == 200


@pytest.mark.parametrize("victim", ["log", "health", "watchdog", "os_mon", "observe"])
async def test_observers_fall_without_touching_the_core(node: None, victim: str) -> None:
    before = await places()
    await killed(victim, "node" if victim == "observe" else "observe")
    after = await places()
    core = {place for place in before if place.startswith("node/core")}
    assert {place: after[place] for place in core} == {place: before[place] for place in core}


async def test_the_node_becomes_ready_and_the_probes_say_so(node: None) -> None:
    await wait_all_tasks_blocked(0.05)
    assert (await report()).ready
    components = {component.id: component.status for component in (await report()).components}
    assert components.keys() == {"registry", "servers", "sessions", "transports", "node", "system"}
    assert [await get(path) for path in ("/health", "/ready", "/live", "/ping")] == [200] * 4


async def test_the_root_stops_its_children_in_reverse_order(node: None) -> None:
    names = ["registry", "sessions_sup", "servers", "transports", "log", "chaos", "node"]
    ended: list[str] = []
    done, watching = trio.Event(), trio.Event()

    async def watch() -> None:
        refs = {monitor(whereis(name)): name for name in names}
        watching.set()
        while refs:
            message: Any = await receive()
            ended.append(refs.pop(message[1]))
        done.set()

    spawn(watch)
    with trio.fail_after(10):
        await watching.wait()
        assert await application.stop_all() == ["chaos", "erlmcp_py"]
        await done.wait()
    assert ended == ["chaos", "log", "transports", "servers", "sessions_sup", "registry", "node"]


def test_specs_of_supervisors_wait_for_their_children() -> None:
    parts = Parts({}, ChildSpec("extra", (os.getpid, ())), lambda pid: None)
    specs = {spec.id: spec for spec in child_specs(CONFIG, parts)}
    assert list(specs) == ["core", "guards", "observe", "extra"]
    assert specs["core"].shutdown == math.inf


async def test_no_process_of_a_fresh_node_seems_large(node: None) -> None:
    """What os_mon compares with the mark of `process_memory_high_watermark`."""
    for place, pid in (await places()).items():
        assert 0 < process_info(pid, "memory") < 1_000_000, place
