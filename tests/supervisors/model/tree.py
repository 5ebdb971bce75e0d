"""The same tree as real processes, which keep the same log."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

import supervisors as otp
from supervisors import ChildSpec, GenServer, Pid, Supervisor, SupFlags
from supervisors._process import Watch
from supervisors._task import TaskProcess

from .reference import Fork, Leaf


class End(Watch):
    """Writes the end of a process into the log, at the moment others hear of it."""

    def __init__(self, real: Real, id: str) -> None:
        self.real = real
        self.id = id

    def down(self, pid: Pid, reason: Any) -> None:
        self.real.log.append(f"end {self.id} {shown(reason)}")


def shown(reason: Any) -> str:
    if isinstance(reason, tuple) and isinstance(reason[0], Exception):
        return "raised"
    if isinstance(reason, tuple) and isinstance(reason[1], tuple):
        return str(reason[1][0])
    return str(reason)


class Real:
    """pids: of every process that was started and not replaced, by id."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.inits: dict[str, deque[str]] = defaultdict(deque)
        self.pids: dict[str, Pid] = {}
        self.everybody: list[Pid] = []

    def enters(self, id: str) -> str:
        """Called in the init of a process; what that init is to come to."""
        pid = otp.self()
        self.pids[id] = pid
        self.everybody.append(pid)
        self.log.append(f"start {id}")
        assert pid._process is not None
        watch: Any = End(self, id)
        pid._process.more().monitored_by[watch] = watch
        planned = self.inits[id]
        return planned.popleft() if planned else "ok"

    def spec(self, node: Leaf | Fork) -> ChildSpec:
        if isinstance(node, Fork):
            return Branch.child_spec(
                self, node, id=node.id, restart=node.restart, significant=node.significant
            )
        cls = Async if node.asynchronous else Plain
        return cls.child_spec(
            self,
            node,
            id=node.id,
            restart=node.restart,
            shutdown=node.shutdown,
            significant=node.significant,
        )

    async def settle(self) -> None:
        """Let time pass, a quarter of a second at a time, until everybody is at rest."""
        while True:
            await wait_all_tasks_blocked()
            if not any(self._busy(pid) for pid in self.everybody):
                return
            await trio.sleep(0.25)

    def _busy(self, pid: Pid) -> bool:
        process = pid._process
        return isinstance(process, TaskProcess) and not process.at_rest

    async def shape(self, supervisor: Pid) -> Any:
        children = reversed(await otp.which_children(supervisor))
        return [
            (
                child.id,
                await self.shape(child.pid)
                if child.type == "supervisor" and isinstance(child.pid, Pid)
                else {None: "down", "restarting": "pending"}.get(child.pid, "up"),
            )
            for child in children
        ]


class Branch(Supervisor):
    def init(self, real: Real, node: Fork) -> Any:
        real.enters(node.id)
        flags = SupFlags(node.strategy, node.intensity, node.period, node.auto_shutdown)
        return flags, [real.spec(child) for child in node.children]


def answer(what: str, node: Leaf) -> Any:
    return {"ok": ("ok", node), "fail": ("stop", "refused"), "ignore": "ignore"}[what]


def obey(order: Any, node: Leaf) -> Any:
    if order == "unlink":
        process = otp.process_info(otp.self())
        assert process is not None and process.parent is not None
        otp.unlink(process.parent)
        return "noreply", node
    if order == "raised":
        raise ValueError("asked to")
    return "stop", order, node


class Plain(GenServer):
    def init(self, real: Real, node: Leaf) -> Any:
        otp.trap_exit(node.traps)
        return answer(real.enters(node.id), node)

    def handle_cast(self, request: Any, state: Leaf) -> Any:
        return obey(request, state)


class Async(GenServer):
    async def init(self, real: Real, node: Leaf) -> Any:
        otp.trap_exit(node.traps)
        what = real.enters(node.id)
        await trio.sleep(node.init_takes)
        return answer(what, node)

    async def handle_cast(self, request: Any, state: Leaf) -> Any:
        return obey(request, state)

    async def terminate(self, reason: Any, state: Leaf) -> None:
        if reason in ("shutdown", "killed"):
            await trio.sleep(state.lingers)
