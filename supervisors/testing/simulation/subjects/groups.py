"""Process groups: what a scope shows, what it tells, and who is in a group (1.11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .... import pg
from ...._errors import CallExit
from ...._gen_server.plain import PlainServer
from ...._pg.scope import ScopeState
from ...._pid import Pid, Ref
from ...._signals import is_alive, self
from ...._signals import monitor as watch
from ...._task import receive
from ..tree import Fault, Worker
from .manners import Actor, acts, tell
from .subject import FaultKind, Subject, WorkerKind, at, of_kind

if TYPE_CHECKING:
    from ..world import World


class Views:
    """What each subscriber believes, by the process that listens: scope, group, members."""

    def __init__(self) -> None:
        self.views: dict[Pid, tuple[Pid, str, Counter[Pid]]] = {}


async def _start(_world: World, node: Worker, _parent: Pid) -> Pid:
    return await pg.start_link(_name(node.id))


def _name(id: str) -> str:
    return f"scope of {id}"


def _join(world: World, fault: Fault, pid: Pid) -> None:
    if world.living(fault.other):
        others = [other for other in world.births if is_alive(other)]
        chosen = [pid, *others[: fault.number % 3]]
        world.hire(_member, _name(fault.other), chosen, fault.number)


async def _member(scope: str, pids: list[Pid], number: int) -> None:
    """Join on behalf of others, or leave."""
    group = f"group {number % 2}"
    try:
        if number % 3 == 0:
            await pg.leave(scope, group, pids)
        else:
            await pg.join(scope, group, pids)
    except CallExit:
        return


def _join_soon(world: World, fault: Fault, pid: Pid) -> None:
    if world.living(fault.other):
        tell(pid, _joins, _name(fault.other), fault.number)


def _joins(_actor: Actor, scope: str, number: int) -> None:
    (pg.leave_soon if number % 3 == 0 else pg.join_soon)(scope, f"group {number % 2}", self())


def _subscribe(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(
        _subscriber,
        world,
        pid,
        _name(fault.target),
        f"group {fault.number % 2}",
        fault.number % 3 == 0,
    )


async def _subscriber(world: World, pid: Pid, scope: str, group: str, whole: bool) -> None:
    """Keep a view of one group from the news alone, for as long as its scope runs."""
    over = watch(pid)
    try:
        if whole:
            ref, groups = await pg.monitor_scope(scope)
            members = groups.get(group, [])
        else:
            ref, members = await pg.monitor(scope, group)
    except CallExit:
        return
    if pid._process is None or not is_alive(pid):
        return  # it was another scope of this name that answered
    view = Counter(members)
    world.book(Views).views[self()] = pid, group, view
    while True:
        message: Any = await receive()
        match message:
            case (Ref() as news, _, other, _) if news is ref and other != group:
                if not whole:
                    world.accuse(f"a subscriber of {group} of {scope} heard of {other}")
            case (Ref() as news, "join", _, pids) if news is ref:
                view.update(pids)
            case (Ref() as news, "leave", _, pids) if news is ref:
                # It tells of all whom it was asked to let go, members or not.
                view = view - Counter(pids)
                world.book(Views).views[self()] = pid, group, view
            case ("DOWN", Ref() as down, *_) if down is over:
                return


def _check(world: World) -> Iterator[str]:
    for node in world.nodes.values():
        if isinstance(node, Worker) and node.kind == "scope":
            for pid in world.living(node.id):
                yield from _scope(world, pid)
    views = world.book(Views).views
    for subscriber, (scope, group, view) in list(views.items()):
        state = _state(scope)
        if state is None or not is_alive(subscriber):
            del views[subscriber]
        elif world.rests(scope) and world.rests(subscriber):
            entry = state.groups.find(group)
            members = Counter(() if entry is None else entry.members())
            if view != members:
                yield f"a subscriber of {group} of {scope} sees {view}, and it has {members}"


def _state(scope: Pid) -> ScopeState | None:
    process = scope._process
    if isinstance(process, PlainServer) and isinstance(process.state, ScopeState):
        return process.state
    return None


def _scope(world: World, pid: Pid) -> Iterator[str]:
    state = _state(pid)
    if state is None or not world.rests(pid):
        return
    known: dict[Pid, Counter[Any]] = {
        member: Counter(each.group for each in membership.groups)
        for member, membership in state.members.items()
    }
    for entry in state.groups:
        group = entry.group
        for member, times in entry.local.items():
            if member._process is None:
                yield f"{group} of {pid} has the member {member}, which is gone"
            elif known.get(member, Counter())[group] != times:
                yield f"{group} of {pid} has {member} {times} times, its books say otherwise"


SUBJECT = Subject(
    workers={"scope": WorkerKind(_start, 2)},
    faults={
        "join": FaultKind(at(_join), 6, acts, of_kind("scope")),
        "join_soon": FaultKind(at(_join_soon), 5, acts, of_kind("scope")),
        "subscribe": FaultKind(at(_subscribe), 3, of_kind("scope")),
    },
    check=_check,
)
