from __future__ import annotations

import json
import os

import pytest
import trio

from erlmcp_py.config import HealthConfig
from erlmcp_py.ops.checks import Component, server_check, supervisor_check
from erlmcp_py.ops.component import Failed, Passed
from erlmcp_py.ops.health import HealthMonitor, report
from erlmcp_py.ops.probes import ROUTES
from erlmcp_py.telemetry.log import LogWriter
from erlmcp_py.telemetry.sink import Sink
from supervisors import (
    GenServer,
    Runtime,
    Supervisor,
    SupFlags,
    exit_signal,
    spawn,
    stop,
    terminate_child,
    whereis,
)


@pytest.fixture
async def runtime():
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sink = Sink(nowhere)
    async with Runtime("n") as runtime:
        await LogWriter.start("info", sink, name="log")
        yield runtime
    sink.close()
    sink.flush(5)
    os.close(nowhere)


class Echo(GenServer):
    def init(self):
        return ("ok", None)

    def handle_call(self, request, _from, state):
        return ("reply", request, state)


class Changing:
    """A component that is as well as the test says, and knows when it was asked."""

    def __init__(self) -> None:
        self.outcome = Passed()
        self.asked: list[float] = []

    async def check(self):
        self.asked.append(trio.current_time())
        return self.outcome


async def watch(*components: Component, **settings) -> None:
    await HealthMonitor.start(HealthConfig(**settings), components, name="health")


async def record(id: str):
    return next(c for c in (await report()).components if c.id == id)


async def test_intervals_and_thresholds_of_the_system(autojump_clock, runtime) -> None:
    thing, start = Changing(), trio.current_time()
    await watch(Component("thing", thing.check))
    await trio.sleep(70)
    assert [at - start for at in thing.asked] == [0, 30, 60]
    thing.outcome = Failed("down")
    await trio.sleep(41)
    assert [at - start for at in thing.asked[3:]] == [90, 100, 110]
    assert (await record("thing")).status == "unhealthy"
    thing.outcome = Passed()
    await trio.sleep(10)
    assert (await record("thing")).status == "healthy"
    thing.asked.clear()
    await trio.sleep(35)
    assert len(thing.asked) == 1


async def test_a_component_may_have_an_interval_of_its_own(autojump_clock, runtime) -> None:
    thing = Changing()
    thing.outcome = Failed("always")
    await watch(Component("thing", thing.check, 15.0))
    await trio.sleep(46)
    assert [b - a for a, b in zip(thing.asked, thing.asked[1:], strict=False)] == [15, 15, 15]


async def test_a_check_that_hangs_fails_after_its_time(autojump_clock, runtime) -> None:
    await watch(Component("stuck", trio.sleep_forever), Component("well", Changing().check))
    await trio.sleep(4.9)
    assert (await record("stuck")).status == "unknown"
    assert (await record("well")).status == "healthy"
    await trio.sleep(0.2)
    stuck = await record("stuck")
    assert (stuck.status, stuck.last_error) == ("degraded", "no answer within 5 s")


async def test_a_check_that_crashes_or_is_killed_counts_as_failed(autojump_clock, runtime) -> None:
    async def broken():
        raise KeyError("oops")

    await watch(Component("broken", broken), Component("killed", trio.sleep_forever))
    await trio.testing.wait_all_tasks_blocked()
    for pid in runtime.processes():
        if pid not in (whereis("health"), whereis("log")):
            exit_signal(pid, "kill")
    await trio.testing.wait_all_tasks_blocked()
    assert (await record("broken")).last_error == "the check itself failed: KeyError: 'oops'"
    assert (await record("killed")).last_error == "the check itself failed: killed"


async def test_a_server_is_asked_like_anybody_would(autojump_clock, runtime) -> None:
    echo = await Echo.start(name="echo")
    await watch(Component("echo", server_check("echo", "are you well?")))
    await trio.sleep(1)
    assert (await record("echo")).status == "healthy"
    await stop(echo)
    await trio.sleep(30)
    assert (await record("echo")).last_error == "echo is not running"


async def test_a_supervisor_is_well_when_its_children_are(autojump_clock, runtime) -> None:
    class Tree(Supervisor):
        def init(self):
            return SupFlags(), [Echo.child_spec(id="a"), Echo.child_spec(id="b")]

    async def keep() -> None:
        await Tree.start_link(name="tree")
        await trio.sleep_forever()

    spawn(keep)
    await trio.testing.wait_all_tasks_blocked()
    check = supervisor_check("tree")
    assert await check() == Passed({"children": 2})
    await terminate_child("tree", "a")
    assert await check() == Failed("not running: a", {"children": 1})


async def probe(path: str):
    status, headers, body = await ROUTES[path](None)
    assert headers["Cache-Control"] == "no-store"
    return status, json.loads(body) if headers["Content-Type"] == "application/json" else body


async def test_probes_follow_the_components(autojump_clock, runtime) -> None:
    thing = Changing()

    async def slow():
        await trio.sleep(2)
        return Passed()

    await watch(Component("thing", thing.check), Component("slow", slow))
    await trio.sleep(1)
    assert await probe("/ready") == (503, {"ready": False, "waiting_for": {"slow": "unknown"}})
    assert (await probe("/health"))[0] == 503
    await trio.sleep(1.5)
    status, health = await probe("/health")
    assert (status, health["status"], health["node"]) == (200, "healthy", "n")
    assert {c["id"]: c["status"] for c in health["components"]} == {
        "thing": "healthy",
        "slow": "healthy",
    }
    thing.outcome = Failed("gone")
    await trio.sleep(30)
    status, health = await probe("/health")
    assert (status, health["status"]) == (200, "degraded")
    await trio.sleep(30)
    status, ready = await probe("/ready")
    assert (status, ready["waiting_for"]) == (503, {"thing": "unhealthy"})
    assert (await probe("/live"))[0] == 200


async def test_without_a_monitor_only_ping_and_live_are_well(autojump_clock, runtime) -> None:
    assert await probe("/ping") == (200, b"pong")
    assert await probe("/live") == (200, {"status": "alive"})
    assert (await probe("/ready"))[0] == 503
    status, health = await probe("/health")
    assert (status, health["components"][0]["id"]) == (503, "health")
