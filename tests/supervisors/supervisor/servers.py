"""Children and supervisors the process tests are made of."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import ChildSpec, GenServer, Pid, Report, Supervisor, SupFlags
from supervisors.testing import end_of


class Plain(GenServer):
    """A callback process whose state is its start arguments."""

    def init(self, *args: Any) -> Any:
        return "ok", args

    def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        if request == "crash":
            raise ValueError("asked to")
        return "reply", state, state

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "stop", request, state


class Trapping(Plain):
    """Traps exits, so that it terminates instead of dying."""

    def init(self, *args: Any) -> Any:
        otp.trap_exit()
        return "ok", args


class Slow(GenServer):
    """A task process that takes its time: `init_delay`, `end_delay` in seconds."""

    def init(self, init_delay: float, end_delay: float) -> Any:
        otp.trap_exit()
        return "ok", (init_delay, end_delay), ("continue", "go")

    async def handle_continue(self, _term: Any, state: Any) -> Any:
        return "noreply", state

    async def terminate(self, _reason: Any, state: Any) -> None:
        await trio.sleep(state[1])


class SlowInit(GenServer):
    async def init(self, delay: float, log: list[str]) -> Any:
        log.append("init begins")
        await trio.sleep(delay)
        log.append("init ends")
        return "ok", None


class Tree(Supervisor):
    """Supervises whatever it is given."""

    def init(self, flags: Any, specs: Any) -> Any:
        return flags, specs


async def tree(*specs: Any, name: str | None = None, **flags: Any) -> Pid:
    return await Tree.start_link(SupFlags(**flags), list(specs), name=name)


def child(id: str, module: type[GenServer] = Plain, *args: Any, **options: Any) -> ChildSpec:
    return module.child_spec(*args, id=id, name=id, **options)


def reports_of(kind: type[Report]) -> list[Any]:
    """A list that fills with the reports of one kind from now on."""
    seen: list[Any] = []

    def keep(report: Report) -> None:
        if isinstance(report, kind):
            seen.append(report)

    otp.current_runtime().subscribe(keep)
    return seen


async def pids_of(supervisor: Pid | str) -> dict[Any, Any]:
    return {info.id: info.pid for info in reversed(await otp.which_children(supervisor))}


async def kill(pid: Pid, reason: Any = "kill") -> Any:
    return await end_of(pid, lambda: otp.exit_signal(pid, reason))


async def ended_linked(pid: Pid) -> Any:
    """The reason in the EXIT message of a linked process."""
    return (await otp.receive(lambda m: m[0] == "EXIT" and m[1] is pid))[2]
