"""GenServers with plain and with async callbacks, and what they are told to do wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ...._gen_server.behaviour import GenServer
from ...._gen_server.calls import From, cast
from ...._pid import Pid
from ..tree import Fault, Worker
from .manners import Actor, begins, listens, react, respond, settle_in
from .subject import FaultKind, Subject, WorkerKind, at

if TYPE_CHECKING:
    from ..world import World


class PlainActor(GenServer):
    """A callback process."""

    def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = Actor(world, node, parent)
        return begins(settle_in(actor), "ok", actor)

    def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`."""
        return respond(state, request, from_)

    def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, request)

    def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, message)

    def code_change(self, old_vsn: Any, state: Actor, extra: Any) -> Any:
        """Refused when told so."""
        return ("ok", state) if extra != "refuse" else ("error", "refused")


class AsyncActor(GenServer):
    """A server with async callbacks; it can be slow."""

    async def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = Actor(world, node, parent)
        started = settle_in(actor)
        if isinstance(started, tuple):
            await trio.sleep(started[1])
        return begins(started, "ok", actor)

    async def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`; "slow" waits first."""
        if request[0] == "slow":
            await trio.sleep(request[2])
            return "reply", request[1], state
        return respond(state, request, from_)

    async def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`; "hang" waits first."""
        if type(request) is tuple and request[:1] == ("hang",):
            await trio.sleep(request[1])
        return react(state, request)

    async def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, message)

    async def terminate(self, _reason: Any, state: Actor) -> None:
        """Take the time a fault has ordered."""
        if state.lingers:
            await trio.sleep(state.lingers)

    def code_change(self, old_vsn: Any, state: Actor, extra: Any) -> Any:
        """Refused when told so."""
        return ("ok", state) if extra != "refuse" else ("error", "refused")


async def _start_plain(world: World, node: Worker, parent: Pid) -> Pid:
    return await PlainActor.start_link(world, node, parent, name=world.name_of(node))


async def _start_async(world: World, node: Worker, parent: Pid) -> Pid:
    return await AsyncActor.start_link(world, node, parent, name=world.name_of(node))


def _order(_world: World, fault: Fault, pid: Pid) -> None:
    """Tell a worker to do it to itself."""
    number = fault.number * 70 if fault.kind == "churn" else fault.number
    cast(pid, (fault.kind, fault.seconds, number))


def _told(weight: int) -> FaultKind:
    return FaultKind(at(_order), weight, listens)


SUBJECT = Subject(
    workers={
        "plain": WorkerKind(_start_plain, 6),
        "async": WorkerKind(_start_async, 6),
    },
    faults={
        "raise": _told(8),
        "throw": _told(2),
        "stop": _told(4),
        "bad_return": _told(2),
        "linger": _told(5),
        "hang": _told(6),
        "unlink": _told(1),
        "spawn": _told(4),
        "timer": _told(4),
        "timeout": _told(3),
        "churn": _told(1),
    },
)
