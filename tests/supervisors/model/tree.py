"""The same tree as real processes, which keep the same record."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import replace
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

import supervisors as otp
from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    Exit,
    GenServer,
    Pid,
    Supervisor,
    SupervisorReport,
    SupFlags,
    proc_lib,
)
from supervisors._process import Watch
from supervisors._task import TaskProcess

from .tree_spec import DYNAMIC, SIMPLE, Fork, Leaf, Node

WORDS = (
    "not_found",
    "running",
    "restarting",
    "already_present",
    "already_started",
    "max_children",
    SIMPLE,
)


class End(Watch):
    """Writes the end of a process into the record, at the moment others hear of it."""

    def __init__(self, real: Real) -> None:
        self.real = real

    def down(self, pid: Pid, reason: Any) -> None:
        self.real.lines.append(f"end {self.real.labels[pid]} {shown(reason)}")


def shown(reason: Any) -> str:
    match reason:
        case (Exception(), _) | ("EXIT", (Exception(), _)):
            return "raised"
        case ("shutdown", (word, *_)):
            return str(word)
    return str(reason)


class Real:
    """labels: of every process that was started, with the number of the start of its id."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.inits: dict[str, deque[str]] = defaultdict(deque)
        self.starts: Counter[str] = Counter()
        self.labels: dict[Pid, str] = {}
        self.pids: dict[str, Pid] = {}
        self.forks: dict[str, Fork] = {}
        self.parked: set[Pid] = set()
        self.hung: set[Pid] = set()

    def enters(self, id: str, pid: Pid | None = None) -> str:
        """Called when a process begins; what its init is to come to."""
        pid = pid or otp.self()
        self.starts[id] += 1
        label = self.labels[pid] = f"{id}#{self.starts[id]}"
        self.pids[label] = pid
        self.lines.append(f"start {label}")
        assert pid._process is not None
        watch: Any = End(self)
        pid._process.more().monitored_by[watch] = watch
        planned = self.inits[id]
        return planned.popleft() if planned else "ok"

    def report(self, report: otp.Report) -> None:
        if isinstance(report, SupervisorReport):
            about, reason = report.offender, shown(report.reason)
            if "nb_children" in about:
                reason += f" of {about['nb_children']}"
            who = self.labels[report.pid]
            self.lines.append(f"{who} {report.context} {about['id']} {reason}")

    def spec(self, node: Node) -> ChildSpec:
        wanted: Any = {"restart": node.restart, "significant": node.significant}
        if isinstance(node, Leaf):
            return ChildSpec(
                node.id, (start_worker, (self, node)), shutdown=node.shutdown, **wanted
            )
        if node.strategy == DYNAMIC:
            start = (start_dynamic, (self, node))
            return ChildSpec(node.id, start, type="supervisor", **wanted)
        return Branch.child_spec(self, node, id=node.id, **wanted)

    async def settle(self) -> None:
        """Let time pass, a quarter of a second at a time, until everybody is at rest."""
        while True:
            await wait_all_tasks_blocked()
            if not any(self._busy(pid) for pid in self.labels):
                return
            await trio.sleep(0.25)

    def _busy(self, pid: Pid) -> bool:
        process = pid._process
        if not isinstance(process, TaskProcess) or (pid in self.hung and process.alive):
            return False
        return not process.at_rest and pid not in self.parked

    async def shape(self, supervisor: Pid, node: Fork) -> Any:
        crowd = node.strategy in (SIMPLE, DYNAMIC)
        found = []
        for child in reversed(await otp.which_children(supervisor)):
            label = self.labels.get(child.pid, "") if isinstance(child.pid, Pid) else ""
            id = label.partition("#")[0] if crowd else child.id
            if child.type == "supervisor" and isinstance(child.pid, Pid):
                found.append((id, await self.shape(child.pid, self.forks[id])))
            else:
                found.append((id, {None: "down", "restarting": "pending"}.get(child.pid, "up")))
        return sorted(found, key=str) if crowd else found

    async def answers(self, requests: list[otp.RequestId]) -> list[str]:
        """What administration calls came to, in one word each."""
        return [read(await otp.receive_response(request, 1000)) for request in requests]


def read(response: Any) -> str:
    match response:
        case ("reply", ("ok", None)):
            return "nothing"
        case ("reply", ("ok", _)):
            return "ok"
        case ("reply", ("error", (str(word), *_) | str(word))) if word in WORDS:
            return word
        case ("reply", ("error", _)):
            return "failed"
        case ("error", _):
            return "gone"
    raise AssertionError(response)


# --- supervisors ----------------------------------------------------------------------------


class Branch(Supervisor):
    def init(self, real: Real, node: Fork) -> Any:
        real.forks[node.id] = node
        real.enters(node.id)
        flags = SupFlags(node.strategy, node.intensity, node.period, node.auto_shutdown)  # type: ignore[arg-type]
        if node.template is not None:
            template = real.spec(node.template)
            return flags, [replace(template, start=(start_worker, (real,)))]
        return flags, [real.spec(child) for child in node.children]


async def start_dynamic(real: Real, node: Fork) -> Pid:
    pid = await DynamicSupervisor.start_link(
        intensity=node.intensity, period=node.period, max_children=node.room
    )
    real.forks[node.id] = node
    real.enters(node.id, pid)
    return pid


# --- workers --------------------------------------------------------------------------------


async def start_worker(real: Real, node: Leaf) -> Pid:
    if node.kind == "task":
        pid: Pid = await proc_lib.start(live, real, node, link=True)
        return pid
    cls = Async if node.kind == "async" else Plain
    return await cls.start_link(real, node)


def begin(what: str, state: Any) -> Any:
    match what:
        case "ok":
            return "ok", state
        case "ignore":
            return "ignore"
        case "raised":
            raise ValueError("asked to")
    return "stop", what


def obey(order: Any, state: Any) -> Any:
    if order == "unlink":
        process = otp.process_info(otp.self())
        assert process is not None
        assert process.parent is not None
        otp.unlink(process.parent)
        return "noreply", state
    if order == "raised":
        raise ValueError("asked to")
    return "stop", order, state


class Plain(GenServer):
    def init(self, real: Real, node: Leaf) -> Any:
        otp.trap_exit(node.traps)
        return begin(real.enters(node.id), (real, node))

    def handle_info(self, message: Any, state: Any) -> Any:
        return obey(message, state)


class Async(GenServer):
    async def init(self, real: Real, node: Leaf) -> Any:
        otp.trap_exit(node.traps)
        what = real.enters(node.id)
        await trio.sleep(node.init_takes)
        return begin(what, (real, node))

    async def handle_info(self, message: Any, state: Any) -> Any:
        if message == "hang":
            state[0].hung.add(otp.self())
            await trio.sleep_forever()
        return obey(message, state)

    async def terminate(self, reason: Any, state: Any) -> None:
        if reason in ("shutdown", "killed"):
            await trio.sleep(state[1].lingers)


async def live(real: Real, node: Leaf) -> None:
    """A worker that is a coroutine."""
    otp.trap_exit(node.traps)
    what = real.enters(node.id)
    await trio.sleep(node.init_takes)
    match begin(what, None):
        case "ignore":
            proc_lib.init_ignore()
        case ("stop", reason):
            proc_lib.init_fail(reason, reason)
    proc_lib.init_ack()
    try:
        await follow(real, node)
    finally:
        if not node.traps:
            with trio.CancelScope(shield=True):
                await trio.sleep(node.lingers)


async def follow(real: Real, node: Leaf) -> None:
    me = otp.self()
    while True:
        real.parked.add(me)
        try:
            message = await otp.receive()
        finally:
            real.parked.discard(me)
        match message:
            case "hang":
                real.hung.add(me)
                await trio.sleep_forever()
            case ("EXIT", _, reason):
                await trio.sleep(node.lingers)
                raise Exit(reason)
            case order:
                match obey(order, None):
                    case ("stop", "normal", _):
                        return
                    case ("stop", reason, _):
                        raise Exit(reason)
