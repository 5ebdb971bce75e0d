"""Supervisors and workers with global names: supervisor_SUITE's simple_global_supervisor."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import ChildSpec, GenServer, Pid, Supervisor, SupFlags
from supervisors.distribution import global_

INNER = ("global", "inner")
WORKER = ("global", "worker")


class Worker(GenServer):
    def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        return "reply", request, state

    def handle_cast(self, reason: Any, state: Any) -> Any:
        return "stop", reason, state


class Inner(Supervisor):
    def init(self) -> Any:
        return SupFlags(intensity=3, period=10), [Worker.child_spec(id="worker", name=WORKER)]


class Top(Supervisor):
    def init(self) -> Any:
        return SupFlags(intensity=3, period=10), [Inner.child_spec(id="inner", name=INNER)]


def kill_supervisor() -> None:
    otp.exit(_whereis(INNER), "kill")


def kill_worker() -> None:
    otp.exit(_whereis(WORKER), "kill")


def end_worker() -> None:
    otp.cast(WORKER, "normal")


def _whereis(name: Any) -> Pid:
    pid = global_.whereis_name(name[1])
    assert pid is not None
    return pid


@pytest.mark.otp("supervisor", "simple_global_supervisor")
@pytest.mark.parametrize("place", ["a", "b"])
@pytest.mark.parametrize(
    ("strike", "hit"),
    [(kill_supervisor, {INNER, WORKER}), (kill_worker, {WORKER}), (end_worker, {WORKER})],
)
async def test_global_names_are_taken_again(autojump_clock, cluster, strike, hit, place):
    """Whoever was hit is there again by its name, for every node; the others stay who they were."""
    async with cluster("a", "b", delay=0.05) as nodes_:

        async def tree() -> None:
            otp.trap_exit()
            await Top.start_link()
            await trio.sleep_forever()

        nodes_.spawn("a", tree)
        await trio.sleep(1)

        async def main():
            before = {name: _whereis(name) for name in (INNER, WORKER)}
            strike()
            await trio.sleep(1)
            after = {name: _whereis(name) for name in (INNER, WORKER)}
            assert {name for name in before if before[name] is not after[name]} == hit
            assert await otp.call(WORKER, "hello") == "hello"
            (child,) = await otp.which_children(INNER)
            assert (child.id, child.pid, child.type) == ("worker", after[WORKER], "worker")

        await nodes_.on(place, main)


async def test_a_child_on_another_node(autojump_clock, cluster):
    """A start function may answer with a process of another node: it is linked, and noticed."""
    async with cluster("a", "b") as nodes_:
        started: list[Pid] = []

        async def start_there() -> Pid:
            """What rpc:call would do, and the link that start_link makes."""
            with nodes_.runtimes["b"].active():
                started.append(otp.spawn(trio.sleep_forever))
            there = nodes_.seen_from("a", started[-1])
            otp.link(there)
            return there

        class Far(Supervisor):
            def init(self) -> Any:
                return SupFlags(intensity=3, period=10), [
                    ChildSpec("far", (start_there, ()), shutdown=2.0)
                ]

        async def main():
            otp.trap_exit()
            tree = await Far.start_link()
            otp.exit(nodes_.seen_from("a", started[0]), "kill")
            await trio.sleep(1)
            assert len(started) == 2
            nodes_.network.disconnect("a", "b")
            nodes_.network.heal()
            await trio.sleep(1)
            assert len(started) == 3
            await trio.sleep(1)
            assert not otp.is_alive(started[1])  # it was linked, so it died of noconnection
            (child,) = await otp.which_children(tree)
            assert child.pid is nodes_.seen_from("a", started[2])
            assert (await otp.count_children(tree)).active == 1
            await otp.stop(tree, "shutdown")
            assert not otp.is_alive(started[2])

        await nodes_.on("a", main)
