"""GenServers with plain and with async callbacks, and what they are told to do wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ...._gen_server.behaviour import GenServer
from ...._gen_server.calls import From, cast
from ...._pid import Pid
from ..tree import Fault, Worker
from .manners import Actor, acts, begins, listens, react, respond, settle_in, tell
from .subject import FaultKind, Subject, WorkerKind, at, of_kind

if TYPE_CHECKING:
    from ..world import World


class Turn:
    """What has to come next for one server: its continuation, or its time-out."""

    __slots__ = ("continuation", "due")

    def __init__(self) -> None:
        self.continuation: int | None = None
        self.due: float | None = None


def _introduced(world: World, node: Worker, parent: Pid) -> Actor:
    actor = Actor(world, node, parent)
    actor.notes = Turn()
    return actor


def _noticed(actor: Actor, message: Any) -> None:
    """Any message: not before a continuation (G6), and it ends the time-out that runs (G7)."""
    turn: Turn = actor.notes
    if turn.continuation is not None:
        actor.world.accuse(f"{actor.node.id} got {message!r} before its continuation")
    fired = isinstance(message, str) and message == "timeout"
    if fired and (turn.due is None or actor.world.now() < turn.due - 1e-9):
        actor.world.accuse(f"{actor.node.id} timed out, which was due at {turn.due}")
    turn.due = None


def _continued(actor: Actor, number: int) -> Any:
    turn: Turn = actor.notes
    if turn.continuation != number:
        actor.world.accuse(f"{actor.node.id} goes on with {number}, not {turn.continuation}")
    turn.continuation = number - 1 if number else None
    return ("noreply", actor, ("continue", number - 1)) if number else ("noreply", actor)


class PlainActor(GenServer):
    """A callback process."""

    def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = _introduced(world, node, parent)
        return begins(settle_in(actor), "ok", actor)

    def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`."""
        _noticed(state, request)
        return respond(state, request, from_)

    def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`."""
        _noticed(state, request)
        return react(state, request)

    def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        _noticed(state, message)
        return react(state, message)

    def handle_continue(self, term: Any, state: Actor) -> Any:
        """Once for each order to go on, and before anything else."""
        return _continued(state, term)

    def code_change(self, old_vsn: Any, state: Actor, extra: Any) -> Any:
        """Refused when told so."""
        return ("ok", state) if extra != "refuse" else ("error", "refused")


class AsyncActor(GenServer):
    """A server with async callbacks; it can be slow."""

    async def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = _introduced(world, node, parent)
        started = settle_in(actor)
        if isinstance(started, tuple):
            await trio.sleep(started[1])
        return begins(started, "ok", actor)

    async def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`; "slow" waits first."""
        _noticed(state, request)
        if request[0] == "slow":
            await trio.sleep(request[2])
            return "reply", request[1], state
        return respond(state, request, from_)

    async def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`; "hang" waits first."""
        _noticed(state, request)
        if type(request) is tuple and request[:1] == ("hang",):
            await trio.sleep(request[1])
        return react(state, request)

    async def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        _noticed(state, message)
        return react(state, message)

    async def terminate(self, _reason: Any, state: Actor) -> None:
        """Take the time a fault has ordered."""
        if state.lingers:
            await trio.sleep(state.lingers)

    async def handle_continue(self, term: Any, state: Actor) -> Any:
        """Once for each order to go on, and before anything else, though it waits."""
        if term % 2:
            await trio.sleep(0.5)
        return _continued(state, term)

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


def _go_on(_world: World, fault: Fault, pid: Pid) -> None:
    tell(pid, _goes_on, fault.number % 4)


def _goes_on(actor: Actor, number: int) -> Any:
    actor.notes.continuation = number
    return "noreply", actor, ("continue", number)


def _timeout(_world: World, fault: Fault, pid: Pid) -> None:
    tell(pid, _times_out, fault.seconds if fault.number % 4 else 0)


def _times_out(actor: Actor, seconds: float) -> Any:
    actor.notes.due = actor.world.now() + seconds
    return "noreply", actor, seconds


def _nap(_world: World, _fault: Fault, pid: Pid) -> None:
    tell(pid, _hibernates)


def _hibernates(actor: Actor) -> Any:
    return "noreply", actor, "hibernate"


def _told(weight: int) -> FaultKind:
    return FaultKind(at(_order), weight, listens)


_SERVERS = of_kind("plain", "async")

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
        "timeout": FaultKind(at(_timeout), 4, _SERVERS),
        "go_on": FaultKind(at(_go_on), 3, _SERVERS),
        "nap": FaultKind(at(_nap), 2, acts),
        "churn": _told(1),
    },
)
