"""Who lives where in the supervision tree, and whom the supervisors owe a living process.

A tree is *whole* when every supervisor keeps its promise: a permanent child runs, a
transient one runs unless it ended normally. A temporary child is promised to nobody, so its
end leaves the tree whole. Children of a simple_one_for_one supervisor have no places to
compare, only a number; and a supervisor that was itself restarted begins with none, which
is no broken promise of its own but is worth a remark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from chaos.report import Missing
from erlmcp_py.console.applications import beside
from supervisors import (
    CallExit,
    ChildInfo,
    Pid,
    SupervisorError,
    get_childspec,
    is_normal,
    process_info,
    which_children,
)

ANSWERS_WITHIN = 1.0
"""Seconds a supervisor gets to list its children."""


@dataclass(frozen=True, slots=True)
class Place:
    """One child of one supervisor at one moment.

    path: child ids from the root, joined by "/"; a child without an id is shown by its
    name, label or pid. supervisor, by: who restarts it, and where that one lives. pid:
    None when nobody lives there. state: "running", "restarting", "undefined" or
    "unresponsive". restart: its restart type. dynamic: child of a simple_one_for_one.
    """

    path: str
    supervisor: Pid
    by: str
    pid: Pid | None
    name: str | None
    state: str
    restart: str
    dynamic: bool


@dataclass(slots=True)
class Census:
    """All places below the root, and the supervisors that did not answer."""

    places: list[Place] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def regular(self) -> dict[str, Place]:
        """Places of children with an id, by path."""
        return {place.path: place for place in self.places if not place.dynamic}

    def dynamic(self) -> Iterator[Place]:
        """Children without an id."""
        return (place for place in self.places if place.dynamic)

    def called(self) -> dict[Pid, str]:
        """The path of every process that has one."""
        return {place.pid: place.path for place in self.places if place.pid is not None}

    def lasting(self) -> dict[str, Pid | None]:
        """Pids of the places that are not temporary, to see whether anything still moves."""
        return {place.path: place.pid for place in self.places if place.restart != "temporary"}


async def take(root: Pid, name: str) -> Census:
    """Ask every supervisor below `root` for its children, and below the applications beside it.

    The top of such an application is itself no place: nobody would restart it.
    """
    census = Census()
    await _below(root, name, census)
    for top in await beside(root):
        await _below(top.pid, f"{name}/{top.id}", census)
    return census


async def _below(supervisor: Pid, path: str, census: Census) -> None:
    children: list[ChildInfo] | None = None
    with trio.move_on_after(ANSWERS_WITHIN):
        try:
            children = (await which_children(supervisor))[::-1]
        except CallExit:
            children = None
    if children is None:
        census.silent.append(path)
        return
    async with trio.open_nursery() as nursery:
        for child in children:
            place = await _place(supervisor, path, child)
            if place is None:
                continue
            census.places.append(place)
            if child.type == "supervisor" and place.pid is not None:
                nursery.start_soon(_below, place.pid, place.path, census)


async def _place(supervisor: Pid, path: str, child: ChildInfo) -> Place | None:
    """The place of `child`; None when it left while it was looked at."""
    alive = process_info(child.pid) if isinstance(child.pid, Pid) else None
    dynamic = child.id is None
    restart = "permanent"
    with trio.move_on_after(ANSWERS_WITHIN):
        try:
            key = child.pid if dynamic else child.id
            restart = (await get_childspec(supervisor, key)).restart
        except (SupervisorError, CallExit):
            return None
    name = None if alive is None else alive.registered_name
    label = None if alive is None else alive.label
    id = child.id if not dynamic else name or label or child.pid
    running = "running" if alive is not None else None
    return Place(
        path=f"{path}/{id}",
        supervisor=supervisor,
        by=path,
        pid=None if alive is None else alive.pid,
        name=name,
        state=running or ("restarting" if child.pid == "restarting" else "undefined"),
        restart=restart,
        dynamic=dynamic,
    )


def missing(
    before: Census, after: Census, ended: Mapping[Pid, Any], names: Iterable[str]
) -> list[Missing]:
    """What keeps the tree from being whole; nothing when it is.

    ended: exit reasons of the processes that ended in between. names: names registered now.
    """
    found = [Missing(path, "its supervisor does not answer") for path in after.silent]
    now = after.regular()
    registered = set(names)
    for path, place in before.regular().items():
        if place.pid is None or not owed(place, ended):
            continue
        here = now.get(path)
        if here is None:
            found.append(Missing(path, "gone with its supervisor"))
        elif here.pid is None:
            found.append(Missing(path, here.state))
        elif place.name is not None and place.name not in registered:
            found.append(Missing(path, f"the name {place.name!r} is not registered"))
    found += _missing_dynamic(before, after, ended)
    return found


def _missing_dynamic(before: Census, after: Census, ended: Mapping[Pid, Any]) -> Iterator[Missing]:
    lived = Counter(
        (place.supervisor, place.by)
        for place in before.dynamic()
        if place.pid is not None and owed(place, ended)
    )
    lives = Counter(place.supervisor for place in after.dynamic() if place.pid is not None)
    for (supervisor, path), count in lived.items():
        if process_info(supervisor) is not None and lives[supervisor] < count:
            yield Missing(path, f"{lives[supervisor]} of {count} children are running")


def owed(place: Place, ended: Mapping[Pid, Any]) -> bool:
    """Whether the supervisor of `place` has to keep it running (OTP: supervisor, V7)."""
    if place.restart == "temporary":
        return False
    if place.restart == "transient" and place.pid is not None and place.pid in ended:
        return not is_normal(ended[place.pid])
    return True


def lost(before: Census) -> list[str]:
    """A remark for each group of dynamic children that went with its supervisor."""
    groups = Counter(
        place.by
        for place in before.dynamic()
        if place.restart != "temporary" and process_info(place.supervisor) is None
    )
    return [
        f"{count} children of {path} ended with it; a restarted simple_one_for_one "
        "supervisor begins with none"
        for path, count in groups.items()
    ]
