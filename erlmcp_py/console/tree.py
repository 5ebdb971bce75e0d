"""The supervision tree as data: who is under whom, and how each one is doing.

Supervisors are asked side by side, each with a time limit of its own. A supervisor
that does not answer is shown as ``unresponsive`` instead of keeping the whole picture
from the operator, because the moment one of them hangs is the moment somebody looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import trio

from erlmcp_py.client.shown import shown_command
from erlmcp_py.console.restarts import Restarts
from erlmcp_py.console.target import names_of
from erlmcp_py.ports import Port, Usage, programs, usage
from supervisors import CallExit, ChildInfo, Pid, process_info, which_children


class TreeNode(msgspec.Struct, frozen=True):
    """One place in the tree.

    id: the child id, or for a child without one its name, its label or its pid.
    path: what names the place as a TARGET: ids from the root down, joined by "/", with the
    pid where an id would be ambiguous. pid: None when nobody lives there.
    type: "supervisor", "worker", or "program": what a process owns of the operating system's, by whose pid
    it goes, with the memory of all its processes. state: "running", "suspended", "exiting", "restarting",
    "undefined" (not started), or "unresponsive" (a supervisor that does not list its
    children). label: what the process says of itself, None if it says nothing. restarts: how often
    the place was started again. mailbox: messages waiting.
    memory: bytes, an estimate. uptime: seconds. omitted: children left out by the limit.
    """

    id: str
    path: str
    pid: str | None
    name: str | None
    type: str
    state: str
    restarts: int
    mailbox: int | None
    memory: int | None
    uptime: float | None
    children: tuple[TreeNode, ...] = ()
    omitted: int = 0
    label: str | None = None

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """children: shown per supervisor (the oldest). timeout: seconds each supervisor gets."""

    children: int = 100
    timeout: float = 1.0


async def build(
    root: Pid,
    name: str,
    restarts: Restarts,
    limits: TreeLimits | None = None,
    beside: Sequence[ChildInfo] = (),
) -> TreeNode:
    """The tree below `root`, which is shown as `name`.

    beside: supervisors that are shown behind its children, though they are not.
    """
    builder = _Builder(restarts, limits or TreeLimits())
    await builder.weigh()
    child = ChildInfo(name, root, "supervisor", ())
    tree = await builder.place(child, name, name, restarts.of(root))
    if not beside:
        return tree
    more = await builder.below(root, name, list(beside))
    return msgspec.structs.replace(tree, children=(*tree.children, *more))


def _program(port: Port, path: str, used: Usage | None) -> TreeNode:
    return TreeNode(
        id=shown_command(port.command.argv),
        path=f"{path}/{port.pid}",
        pid=str(port.pid),
        name=None,
        type="program",
        state="running" if port.exit is None else "exiting",
        restarts=0,
        mailbox=None,
        memory=None if used is None else used.memory,
        uptime=max(0.0, trio.current_time() - port.opened_at),
    )


class _Builder:
    def __init__(self, restarts: Restarts, limits: TreeLimits) -> None:
        self.restarts = restarts
        self.limits = limits
        self.owned = programs()
        self.used: dict[int, Usage] = {}

    async def weigh(self) -> None:
        """Look what programs use; one look at /proc for all, in a thread, for it may take a while."""
        pids = [port.pid for ports in self.owned.values() for port in ports]
        if pids:
            self.used = await trio.to_thread.run_sync(usage, pids)

    async def place(self, child: ChildInfo, id: str, path: str, restarts: int) -> TreeNode:
        info = process_info(child.pid) if isinstance(child.pid, Pid) else None
        if info is None:
            state = "restarting" if child.pid == "restarting" else "undefined"
            return TreeNode(id, path, None, None, child.type, state, restarts, None, None, None)
        state = info.status if info.status in ("suspended", "exiting") else "running"
        children = self.programs(info.pid, path)
        omitted = 0
        if child.type == "supervisor":
            listed = await self.listed(info.pid)
            if listed is None:
                state = "unresponsive" if state == "running" else state
            else:
                children = await self.below(info.pid, path, listed[: self.limits.children])
                omitted = len(listed) - len(children)
        return TreeNode(
            id=id,
            path=path,
            pid=str(info.pid),
            name=info.registered_name,
            type=child.type,
            state=state,
            restarts=restarts,
            mailbox=info.message_queue_len,
            memory=info.memory,
            uptime=info.uptime,
            children=children,
            omitted=omitted,
            label=None if info.label is None else str(info.label),
        )

    def programs(self, owner: Pid, path: str) -> tuple[TreeNode, ...]:
        """The programs of a process."""
        ports = self.owned.get(owner, ())
        return tuple(_program(port, path, self.used.get(port.pid)) for port in ports)

    async def listed(self, supervisor: Pid) -> list[ChildInfo] | None:
        """Its children, oldest first; None when it does not answer or has just ended."""
        with trio.move_on_after(self.limits.timeout):
            try:
                return (await which_children(supervisor))[::-1]
            except CallExit:
                return None
        return None

    async def below(
        self, supervisor: Pid, path: str, listed: list[ChildInfo]
    ) -> tuple[TreeNode, ...]:
        nodes: dict[int, TreeNode] = {}
        ids = [next(iter(names_of(child)), "undefined") for child in listed]
        alike = Counter(ids)

        async def add(index: int, child: ChildInfo) -> None:
            id = ids[index]
            step = id if alike[id] == 1 and "/" not in id else str(child.pid)
            count = 0 if child.id is None else self.restarts.at(supervisor, child.id)
            nodes[index] = await self.place(child, id, f"{path}/{step}", count)

        async with trio.open_nursery() as nursery:
            for index, child in enumerate(listed):
                if child.type == "supervisor":
                    nursery.start_soon(add, index, child)
                else:
                    await add(index, child)
                    if index % 100 == 99:
                        await trio.lowlevel.checkpoint()
        return tuple(nodes[index] for index in sorted(nodes))
