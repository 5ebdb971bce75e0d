"""O47, 1.7, 1.11: stop and sys for processes of another node, and the reasons when it goes away."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import BadArg, CallExit, Exit, GenServer, Pid, Runtime, sys
from supervisors.distribution import InMemory, connect_node

from ..harness import Scenario, drain

OTP = [
    ("gen_server", "stop8"),
    ("gen_server", "stop9"),
    ("gen_server", "stop10"),
    ("gen_server", "call_remote_n1"),
]
TERMINATE = ("sys", "terminate")


class Server(GenServer):
    """Sleeps when told to, in its callbacks and at its end."""

    def init(self, state: Any) -> Any:
        otp.trap_exit()
        return "ok", state

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", state, state

    async def handle_cast(self, request: Any, state: Any) -> Any:
        await trio.sleep(request[1])
        return "noreply", state

    async def terminate(self, reason: Any, state: Any) -> None:
        match state:
            case ("sleeps", seconds):
                await trio.sleep(seconds)
            case ("exits", other):
                raise Exit(other)

    def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        return "ok", (state, extra)


class Play:
    """The two nodes, and how the outcome of a step is written."""

    def __init__(self, scenario: Scenario, there: Runtime) -> None:
        self.s = scenario
        self.here = otp.current_runtime()
        self.there = there
        self.network = InMemory(self.here, there)
        otp.register("obs", otp.self())

    async def start(self, id: str, state: Any, name: Any = None) -> Pid:
        """Their pid as this node knows it: it comes in a message."""
        done = trio.Event()

        async def starter() -> None:
            pid = await Server.start(state, name=name)
            otp.send(("obs", self.here.node), ("pid", pid))
            done.set()

        with self.there.active():
            otp.spawn(starter)
        await done.wait()
        pid: Pid = (await otp.receive(lambda m: m[0] == "pid"))[1]
        self.s.name(pid, id)
        return pid

    def is_alive(self, pid: Pid) -> bool:
        return any(p.id == pid.id for p in self.there.table)

    async def tr(self, event: str, step: Callable[[], Any]) -> None:
        """The outcome of a call: its value, or the reason of the exit without arguments."""
        try:
            outcome = step()
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            outcome = "ok" if outcome is None else outcome
        except CallExit as exit_:
            outcome = ("exit", exit_.cause)
        except Exit as exit_:
            outcome = ("exit", self.listed(exit_.reason))
        except BadArg:
            outcome = ("error", "badarg")
        except ValueError:
            outcome = ("error", "function_clause")
        except sys.CodeChangeError:
            outcome = "error"
        self.s.event("obs", event, outcome)

    def listed(self, reason: Any) -> Any:
        """Erlang writes arguments as a list, and times in milliseconds."""
        match reason:
            case (cause, ("sys", "terminate", (server, why, timeout))):
                shown = "infinity" if timeout == math.inf else round(timeout * 1000)
                return cause, (*TERMINATE, [server, why, shown])
        return reason

    def later(self, seconds: float, strike: Callable[[], object]) -> None:
        async def wait() -> None:
            await trio.sleep(seconds)
            strike()

        otp.spawn(wait)

    def cut(self) -> None:
        self.later(0.2, lambda: self.network.disconnect(self.here.node, "there"))


async def run(s: Scenario) -> None:
    async with Runtime("there") as there:
        play = Play(s, there)
        pid = await _while_it_is_up(play)
    await _when_it_is_gone(play, pid)


async def _while_it_is_up(play: Play) -> Pid:
    s, start, tr = play.s, play.start, play.tr
    srv = ("srv", "there")
    pid = await start("s1", "ok")
    await tr("stop_pid", lambda: otp.stop(pid))
    await tr("stop_pid_again", lambda: otp.stop(pid))
    await start("s2", "ok", "srv")
    await tr("stop_name", lambda: otp.stop(srv, ("shutdown", "moved")))
    await tr("stop_name_again", lambda: otp.stop(srv))
    exits = await start("s3", ("exits", "other"))
    await tr("stop_other", lambda: otp.stop(exits))
    slow = await start("s4", ("sleeps", 0.4))
    otp.monitor(slow)
    await tr("stop_late", lambda: otp.stop(slow, "normal", 0.1))
    s.event("obs", "stops_still", (await otp.receive())[4])
    lives = await start("s5", "ok")
    await tr("stop_bad_time", lambda: otp.stop(lives, "normal", -1))
    s.event("obs", "lives", play.is_alive(lives))

    asked = await start("s6", 1, "srv")
    await tr("get_state", lambda: sys.get_state(srv))
    await tr("replace_state", lambda: sys.replace_state(asked, abs))
    await tr("suspend", lambda: sys.suspend(srv))
    await tr("call_suspended", lambda: otp.call(srv, "hello", 0.1))
    await tr("change_code", lambda: sys.change_code(srv, Server, "old", "extra"))
    await tr("state_changed", lambda: sys.get_state(asked))
    await tr("resume", lambda: sys.resume(asked))
    await tr("call_resumed", lambda: otp.call(srv, "hello"))
    await tr("change_code_running", lambda: sys.change_code(asked, Server, "old", "extra"))
    await tr("sys_nobody", lambda: sys.get_state(("nobody", "there")))
    otp.cast(asked, ("sleep", 0.4))
    await trio.sleep(0.05)
    await tr("sys_late", lambda: sys.get_state(asked, 0.1))
    otp.monitor(asked)
    await tr("sys_terminate", lambda: sys.terminate(srv, ("shutdown", "done")))
    s.event("obs", "terminated", (await otp.receive())[4])
    looked_at = await start("s7", "ok")
    await tr("process_info", lambda: otp.process_info(looked_at))
    await tr("is_process_alive", lambda: otp.is_alive(looked_at))

    killed = await _busy(play, "sk")
    play.later(0.2, lambda: otp.exit(killed, "kill"))
    await tr("stop_killed_before_told", lambda: otp.stop(killed))
    await _busy(play, "sg", ("global", "busy"))
    play.cut()
    await tr("stop_global_cut", lambda: otp.stop(("global", "busy")))
    await connect_node("there")
    local = await Server.start("ok")
    s.name(local, "sl")
    otp.cast(local, ("sleep", 1.0))
    await trio.sleep(0.05)
    play.later(0.2, lambda: otp.exit(local, "kill"))
    await tr("stop_killed_before_told_here", lambda: otp.stop(local))

    slow_end = await start("s8", ("sleeps", 1.0))
    play.cut()
    await tr("stop_told_then_cut", lambda: otp.stop(slow_end))
    await connect_node("there")
    busy = await _busy(play, "s9")
    play.cut()
    await tr("stop_cut_before_told", lambda: otp.stop(busy))
    await connect_node("there")
    busy_too = await _busy(play, "s10")
    play.cut()
    await tr("sys_cut", lambda: sys.get_state(busy_too))
    await connect_node("there")
    known = await start("s11", "ok", ("global", "srv"))
    await tr("global_there", lambda: otp.call(("global", "srv"), "hello"))
    return known


async def _busy(play: Play, id: str, name: Any = None) -> Pid:
    pid = await play.start(id, "ok", name)
    otp.cast(pid, ("sleep", 1.0))
    await trio.sleep(0.05)
    return pid


async def _when_it_is_gone(play: Play, pid: Pid) -> None:
    tr = play.tr
    await tr("stop_pid_dead_node", lambda: otp.stop(pid, "normal", 1.0))
    await tr("stop_name_dead_node", lambda: otp.stop(("srv", "there")))
    await tr("stop_global_dead_node", lambda: otp.stop(("global", "srv")))
    await tr("call_global_dead_node", lambda: otp.call(("global", "srv"), "hello"))
    await tr("sys_dead_node", lambda: sys.get_state(pid))
    play.s.event("obs", "left", await drain())
