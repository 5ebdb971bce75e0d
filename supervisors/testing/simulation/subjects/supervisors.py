"""Supervisors of every kind, administration under way, and what families must be like."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ...._dynamic_supervisor import DynamicSupervisor
from ...._errors import BadArg, CallExit
from ...._partition_supervisor import PartitionSupervisor
from ...._pid import Pid
from ...._signals import self as own_pid
from ...._supervisor import administration
from ...._supervisor.answers import ChildInfo
from ...._supervisor.behaviour import Supervisor
from ...._supervisor.errors import SupervisorError
from ...._supervisor.plan import RESTARTING
from ...._supervisor.process import SupervisorProcess
from ...._supervisor.spec import SupFlags
from ...._task import TaskProcess, spawn
from ..tree import Branch, Fault, Node
from .restarts import pauses, stopped
from .subject import FaultKind, Subject, at, branches

if TYPE_CHECKING:
    from ..world import World

ADMIN: Final = ("start", "terminate", "restart", "delete", "which", "count", "spec")


class SimulatedBranch(Supervisor):
    """Any static supervisor of a simulated tree."""

    def init(self, world: World, node: Branch) -> Any:
        """The node's flags and children; opens the books on its restarts."""
        flags = SupFlags(node.strategy, node.intensity, node.period, node.auto_shutdown)
        world.open_books(own_pid(), node, flags)
        return flags, [world.spec(child) for child in node.children]


async def start_branch(world: World, node: Branch) -> Pid:
    """Start a supervisor of the tree, linked to the calling process."""
    name = world.name_of(node)
    flags = SupFlags(node.strategy, node.intensity, node.period)
    if node.behaviour == "dynamic":
        pid = await DynamicSupervisor.start_link(
            intensity=node.intensity,
            period=node.period,
            max_children=node.max_children or math.inf,
            name=name,
        )
        world.open_books(pid, node, flags)
        return pid
    if node.behaviour == "partition":

        def copy(_args: list[Any], number: int) -> tuple[Node]:
            if own_pid() not in world.budgets:  # asked by the supervisor before it starts any
                world.open_books(own_pid(), node, flags)
            return (node.children[number],)

        return await PartitionSupervisor.start_link(
            world.spec(node.children[0]),
            name=node.id,
            partitions=len(node.children),
            intensity=node.intensity,
            period=node.period,
            with_arguments=copy,
        )
    return await SimulatedBranch.start_link(world, node, name=name)


# --- administration -----------------------------------------------------------------------


def _administer(world: World, fault: Fault) -> bool:
    """One request to a supervisor, about one of its children."""
    holders = [
        node
        for node in world.nodes.values()
        if isinstance(node, Branch) and any(child.id == fault.target for child in node.children)
    ]
    living = world.living(holders[0].id) if holders else []
    if not living:
        return False
    pid = living[fault.number % len(living)]
    verb = ADMIN[fault.number % len(ADMIN)]
    if holders[0].behaviour == "partition" and verb in ("start", "delete"):
        verb = "which"  # nobody adds copies to a partition supervisor, or takes them away
    # No client like others: one that is killed half-way cannot say what it has ordered.
    spawn(_administrator, world, pid, holders[0], world.nodes[fault.target], verb, label=verb)
    return True


async def _administrator(
    world: World, supervisor: Pid, holder: Branch, child: Node, verb: str
) -> None:
    process = supervisor._process
    if process is None:
        return
    living = [pid for pid in world.living(child.id) if world.births[pid][1] is supervisor]
    key: Any = child.id
    if holder.has_patterns:
        key = living[0] if living else supervisor
    elif holder.behaviour == "partition":
        key = holder.children.index(child)
    with world.calling(process, math.inf):
        try:
            await _administered(world, supervisor, holder, child, verb, key)
        except (SupervisorError, CallExit):
            return  # refused, or the supervisor ended: both are answers


async def _administered(
    world: World, supervisor: Pid, holder: Branch, child: Node, verb: str, key: Any
) -> None:
    if verb == "start":
        simple = holder.strategy == "simple_one_for_one"
        await administration.start_child(supervisor, () if simple else world.spec(child))
    elif verb == "terminate":
        stopped(world, supervisor, child.id)
        await administration.terminate_child(supervisor, key)
        if not holder.has_patterns:
            # A child that was being restarted takes its siblings' restart with it: they
            # were stopped for it, and nobody tries again (OTP: try_again_restart).
            down = await administration.which_children(supervisor)
            world.absent.update(
                (supervisor, _id_of(world, holder, c.id, supervisor)) for c in down if c.pid is None
            )
    elif verb == "restart":
        await administration.restart_child(supervisor, key)
    elif verb == "delete":
        await administration.delete_child(supervisor, key)
    elif verb == "which":
        await administration.which_children(supervisor)
    elif verb == "count":
        await administration.count_children(supervisor)
    else:
        await administration.get_childspec(supervisor, key)


# --- partitions ---------------------------------------------------------------------------


def _route(world: World, fault: Fault, _pid: Pid) -> None:
    """The same key always meets the same copy."""
    node = world.nodes[fault.target]
    assert isinstance(node, Branch)
    try:
        copy = PartitionSupervisor.whereis_name((node.id, fault.number))
    except BadArg:
        return  # it is being restarted
    meant = node.children[fault.number % len(node.children)].id
    if copy is not None and copy in world.births and world.births[copy][0] != meant:
        world.accuse(f"key {fault.number} of {node.id} leads to {world.births[copy][0]}")


# --- families -----------------------------------------------------------------------------


def _check(world: World) -> Iterator[str]:
    """Supervisors and children agree; orphans end; nobody is there twice."""
    seen: dict[tuple[Pid, str], Pid] = {}
    told = {pid: process_of(pid).machine.which_children() for pid in world.budgets if _at_rest(pid)}
    known = {pid: _children(world, pid, children) for pid, children in told.items()}
    crowds: dict[Pid, int] = {}
    for pid, (id, parent) in world.births.items():
        process = pid._process
        if process is None or not process.alive:
            continue
        if parent._process is None:
            if pid not in world.unlinked and world.rests(pid):
                yield f"{id} {pid} is an orphan: its supervisor {parent} is gone"
            continue
        crowds[parent] = crowds.get(parent, 0) + 1
        if "." in id and not id.endswith("x"):
            twin = seen.setdefault((parent, id), pid)
            if twin is not pid:
                yield f"{id} runs twice under {parent}: as {twin} and as {pid}"
        children = known.get(parent)
        if children is not None and children.get(pid) != id:
            yield f"{id} {pid} runs, and its supervisor {parent} does not know it"
    for supervisor, children in known.items():
        budget = world.budgets[supervisor]
        if budget.exceeded and supervisor not in world.gave_up:
            yield f"{supervisor} restarts more often than its budget allows"
        for pid, id in children.items():
            if pid._process is None and pid not in world.unlinked:
                yield f"{supervisor} believes in its child {id} {pid}, which is gone"
        yield from _missing(world, supervisor, told[supervisor])
    for supervisor, count in crowds.items():
        limit = world.shapes[supervisor].max_children if supervisor in world.shapes else 0
        if limit and count > limit:
            yield f"{supervisor} has {count} children, and its max_children is {limit}"


def _at_rest(pid: Pid) -> bool:
    process = pid._process
    return (
        isinstance(process, TaskProcess)
        and process.at_rest
        and process.alive
        and not process.mailbox
    )


def _children(world: World, supervisor: Pid, children: list[ChildInfo]) -> dict[Pid, str]:
    """The children a supervisor knows, by the ids of their nodes."""
    node = world.shapes[supervisor]
    return {
        child.pid: _id_of(world, node, child.id, child.pid)
        for child in children
        if isinstance(child.pid, Pid)
    }


def _id_of(world: World, node: Branch, id: Any, pid: Pid) -> str:
    if node.behaviour == "dynamic":
        return world.births[pid][0] if pid in world.births else "?"
    if node.behaviour == "partition":
        copy: Node = node.children[id]
        return copy.id
    return node.children[0].id if node.strategy == "simple_one_for_one" else str(id)


def process_of(supervisor: Pid) -> SupervisorProcess:
    """The supervisor that runs as this live process."""
    record = supervisor._process
    assert isinstance(record, TaskProcess)
    assert isinstance(record.sys, SupervisorProcess)
    return record.sys


def _missing(world: World, supervisor: Pid, children: list[ChildInfo]) -> Iterator[str]:
    """Children that should run under a supervisor at rest, and do not."""
    node = world.shapes[supervisor]
    first = node.children[0] if node.behaviour == "partition" else None  # the model of all
    paused = any(child.pid == RESTARTING for child in children)
    for child in children:
        if isinstance(child.pid, Pid):
            continue
        id = None if node.has_patterns else _id_of(world, node, child.id, supervisor)
        if child.pid == RESTARTING:
            if id is None or not pauses(world, supervisor, id):
                yield f"{supervisor} has forgotten to try the restart of {child.id} again"
        elif (
            id is not None
            and (first or world.nodes[id]).restart == "permanent"
            and (supervisor, id) not in world.absent
            and not (paused and node.strategy != "one_for_one")
        ):
            yield f"{supervisor} has lost its permanent child {id}"


SUBJECT = Subject(
    faults={
        "admin": FaultKind(_administer, 12, lambda node: "." in node.id),
        "route": FaultKind(at(_route), 8, branches("partition")),
    },
    check=_check,
)
