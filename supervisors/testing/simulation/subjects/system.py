"""System messages at any moment: look, suspend, replace, change code, trace (1.7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from .... import sys as otp_sys
from ...._callback import CallbackProcess
from ...._errors import CallExit
from ...._gen_server.calls import cast
from ...._pid import Pid
from ...._signals import is_alive
from ...._sys.hooks import CodeChangeError
from ..tree import Fault, Node, Worker
from .manners import Boom, acts
from .subject import FaultKind, Subject, at

if TYPE_CHECKING:
    from ..world import World

Asks = Callable[["World", Pid, int], Any]


def _suspend(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(_suspender, world, pid, acts(world.nodes[fault.target]), fault.seconds)


async def _suspender(world: World, pid: Pid, sends: bool, seconds: float) -> None:
    """Suspend twice, which is once, with mail before and after: none of it is lost."""
    try:
        await otp_sys.suspend(pid)
        sender = world.number()
        for number in range(1, 7 if sends else 0):
            cast(pid, ("seq", sender, number))
            world.sent[sender] = pid, number
            if number == 3:
                await otp_sys.suspend(pid)
        await trio.sleep(seconds)
    except CallExit:
        return
    finally:
        with trio.CancelScope(shield=True):
            try:
                await otp_sys.resume(pid, math.inf)
            except CallExit:
                pass


def _operate(world: World, fault: Fault, pid: Pid) -> None:
    ways: tuple[Asks, ...] = (_looks, _replaces, _reloads, _counts, _logs, _installs, _traces)
    way = ways[fault.number % len(ways)]
    world.hire(_operator, world, way, pid, fault.number)


async def _operator(world: World, way: Asks, pid: Pid, number: int) -> None:
    process = pid._process
    if process is None:
        return
    with world.calling(process, math.inf):
        try:
            await way(world, pid, number)
        except CallExit as failed:
            if failed.cause == "timeout" and is_alive(pid):
                world.accuse(f"{pid} has not answered a system request in 100 s")


async def _looks(world: World, pid: Pid, _number: int) -> None:
    status = await otp_sys.get_status(pid, 100.0)
    if status["pid"] is not pid:
        world.accuse(f"the status of {pid} is of {status['pid']}")
    await otp_sys.get_state(pid, 100.0)


async def _replaces(world: World, pid: Pid, number: int) -> None:
    """A function that raises changes nothing; one that answers is heard (S19)."""
    before = await otp_sys.get_state(pid, 100.0)

    def refuse(_state: Any) -> Any:
        raise Boom("in replace_state")

    try:
        await otp_sys.replace_state(pid, refuse if number % 2 else lambda state: state, 100.0)
    except otp_sys.CallbackFailed:
        if not number % 2:
            world.accuse(f"replace_state of {pid} failed, and nothing was raised")
    after = await otp_sys.get_state(pid, 100.0)
    if _who(after) is not _who(before):
        world.accuse(f"replace_state of {pid} lost its state")


def _who(state: Any) -> Any:
    """What of a state stays the same for as long as the process lives: the actor."""
    return state[1] if type(state) is tuple else state


async def _reloads(world: World, pid: Pid, number: int) -> None:
    """Only a suspended process takes new code, and a migration may refuse (1.7)."""
    extra = "refuse" if number % 2 else None
    process = pid._process
    if number % 3 == 0 and isinstance(process, CallbackProcess):
        # Asked at once, so nobody can have suspended it meanwhile.
        suspended = process.extras is not None and process.extras.suspended
        try:
            await otp_sys.change_code(pid, None, "old", None, 100.0)
        except CodeChangeError:
            return
        if not suspended:
            world.accuse(f"{pid} took new code while it ran")
        return
    await otp_sys.suspend(pid, 100.0)
    try:
        await otp_sys.change_code(pid, None, "old", extra, 100.0)
    except CodeChangeError as failed:
        if extra is None and "unknown_system_msg" not in str(failed):
            world.accuse(f"the code change of {pid} failed: {failed}")
    else:
        if extra == "refuse":
            world.accuse(f"a code change of {pid} that was refused has come off")
    finally:
        with trio.CancelScope(shield=True):
            try:
                await otp_sys.resume(pid, math.inf)
            except CallExit:
                pass


async def _counts(world: World, pid: Pid, number: int) -> None:
    await otp_sys.statistics(pid, number % 3 != 0, 100.0)
    shown = await otp_sys.statistics(pid, "get", 100.0)
    if shown != "no_statistics" and shown["messages_in"] < 0:
        world.accuse(f"{pid} has taken {shown['messages_in']} messages")


async def _logs(world: World, pid: Pid, number: int) -> None:
    await otp_sys.log(pid, number % 5 if number % 5 else False, 100.0)
    kept = await otp_sys.log(pid, "get", 100.0)
    if kept is not None and len(kept) > 4 and number % 5:
        world.accuse(f"{pid} keeps {len(kept)} events of {number % 5}")


async def _installs(_world: World, pid: Pid, number: int) -> None:
    """A function that counts what the process does, to a certain number."""

    def count(seen: int, _event: Any, _server: Any) -> Any:
        return "done" if seen == number else seen + 1

    if number % 4 == 0:
        await otp_sys.remove(pid, number % 3, 100.0)
    else:
        await otp_sys.install(pid, count, 0, id=number % 3, timeout=100.0)


def _unheard(_event: Any) -> None:
    """A tracer."""


async def _traces(_world: World, pid: Pid, number: int) -> None:
    """Tracing takes away the direct way in, and gives it back."""
    otp_sys.trace(pid, None if number % 3 == 0 else _unheard)
    if number % 4 == 0:
        await otp_sys.no_debug(pid, 100.0)


def _has_behaviour(node: Node) -> bool:
    return not isinstance(node, Worker) or node.kind != "task"


def _is_actor(node: Node) -> bool:
    return acts(node) and _has_behaviour(node)


SUBJECT = Subject(
    faults={
        "suspend": FaultKind(at(_suspend), 4, _has_behaviour),
        "operate": FaultKind(at(_operate), 6, _is_actor),
    }
)
