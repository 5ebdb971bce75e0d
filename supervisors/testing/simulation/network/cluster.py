"""The nodes of a simulated network: starting them, stopping them, and starting them again."""

from __future__ import annotations

from typing import Any

import trio

from .... import pg
from ...._cell import task_process
from ...._errors import format_reason
from ...._pid import Pid
from ...._reports import CrashReport, Report
from ...._runtime import Runtime
from ...._signals import exit_signal, trap_exit
from ...._supervisor.behaviour import Supervisor
from ...._supervisor.spec import ChildSpec, SupFlags
from ...._task import receive, spawn
from ....distribution import GroupPeers
from . import actors
from .groups import SCOPE
from .plan import Station
from .world import World


class Run:
    """One run of a node. ready: its tree stands; over: nothing of it is left."""

    def __init__(self) -> None:
        self.ready = trio.Event()
        self.halt = trio.Event()
        self.over = trio.Event()
        self.keeper: Pid | None = None


class SimulatedNode(Supervisor):
    """The root of a node's tree; its workers come back however often they fall."""

    def init(self, world: World, station: Station) -> Any:
        """A scope and the workers."""
        return SupFlags(intensity=1_000_000), [
            pg.child_spec(SCOPE, GroupPeers()),
            *(
                ChildSpec(id=member.id, start=(actors.start_member, (world, station.node, member)))
                for member in station.members
            ),
        ]


class Cluster:
    """All nodes of a plan, in the driver's nursery. reports: how many their kernels made."""

    def __init__(self, world: World, nursery: trio.Nursery) -> None:
        self.world = world
        self.nursery = nursery
        self.reports = 0
        self._runs: dict[str, Run] = {}

    async def start(self) -> None:
        """Start every node and wait for their trees."""
        for station in self.world.plan.stations:
            self.bring_up(station.node)
        for run in self._runs.values():
            await run.ready.wait()

    def bring_up(self, node: str) -> bool:
        """Start a node that does not run; False when it does, or is not done with ending."""
        before = self._runs.get(node)
        if before is not None and not before.over.is_set():
            return False
        station = next(s for s in self.world.plan.stations if s.node == node)
        run = self._runs[node] = Run()
        self.nursery.start_soon(self._run, station, run)
        return True

    def halt(self, node: str) -> bool:
        """Stop a node at once, as when its machine is switched off."""
        run = self._runs[node]
        if not run.ready.is_set() or run.halt.is_set():
            return False
        run.halt.set()
        return True

    def stop_trees(self) -> None:
        """Stop every node's tree as its parent would; the nodes stay."""
        for node, runtime in self.world.runtimes.items():
            keeper = self._runs[node].keeper
            assert keeper is not None
            with runtime.active():
                exit_signal(keeper, "shutdown")

    async def _run(self, station: Station, run: Run) -> None:
        task_process.set(None)
        world, node = self.world, station.node
        async with Runtime(node) as runtime:
            runtime.subscribe(self._hear)
            runtime.endpoint.on_up(lambda other: world.connections.came(node, other))
            runtime.endpoint.on_down(lambda other: world.connections.went(node, other))
            world.runtimes[node] = runtime
            world.network.join(runtime)
            with runtime.active():
                run.keeper = spawn(_keep, world, station, run.ready, label="keeper")
            await run.halt.wait()
            del world.runtimes[node]
            world.connections.left(node)
        run.over.set()

    def _hear(self, report: Report) -> None:
        self.reports += 1
        if (
            isinstance(report, CrashReport)
            and report.kind != "exit"
            and not report.initial_call.startswith(actors.__name__ + ":")
        ):
            self.world.accuse(f"{report.initial_call} crashed: {format_reason(report.reason)}")


async def _keep(world: World, station: Station, ready: trio.Event) -> None:
    """The process above a node's tree: hands on the order to stop, and ends with it."""
    trap_exit()
    root = await SimulatedNode.start_link(world, station)
    ready.set()
    while True:
        match await receive():
            case ("EXIT", pid, reason) if pid is root:
                if reason != "shutdown":
                    world.accuse(f"the tree of {station.node} ended: {format_reason(reason)}")
                return
            case ("EXIT", _, reason):
                exit_signal(root, reason)
