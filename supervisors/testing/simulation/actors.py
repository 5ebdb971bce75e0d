"""The workers of a simulated tree: three kinds of process, one set of manners.

They do what faults tell them, and tell the ledger (`world`) what they hear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ... import _proc_lib
from ..._errors import Exit, NoProc, Throw
from ..._gen_server.behaviour import GenServer
from ..._gen_server.calls import From, reply
from ..._pid import Pid, Ref
from ..._signals import exit_signal, link, monitor, self, send_after, trap_exit, unlink
from ..._task import receive, spawn_link
from .plan import REASONS, Worker

if TYPE_CHECKING:
    from .world import World


class Boom(Exception):
    """What a simulated worker raises when told to."""


class Actor:
    """The state of one worker: who it is, and the last number heard from each sender."""

    __slots__ = ("heard", "lingers", "node", "parent", "world")

    def __init__(self, world: World, node: Worker, parent: Pid) -> None:
        self.world = world
        self.node = node
        self.parent = parent
        self.heard: dict[int, int] = {}
        self.lingers = 0.0


def _settle_in(actor: Actor) -> str | tuple[str, float]:
    """What this start comes to: "ok", "ignore", "fail", "error", or a time to wait first."""
    if actor.node.traps:
        trap_exit()
    mode, seconds = actor.world.next_init(actor.node.id)
    if mode == "raise":
        raise Boom("init")
    if mode == "exit":
        exit_signal(self(), "kill")
    return ("slow", seconds) if mode == "slow" else mode


def _answer(started: str | tuple[str, float], actor: Actor) -> Any:
    if started in ("fail", "error"):
        return {"fail": "stop", "error": "error"}[str(started)], "injected"
    return "ignore" if started == "ignore" else ("ok", actor)


def react(actor: Actor, message: Any) -> Any:
    """What any worker does with a cast or an info message, as a gen_server return."""
    if type(message) is not tuple:
        return "noreply", actor
    match message:
        case ("seq", sender, number):
            actor.world.hears(actor, sender, number)
        case ("raise", *_):
            raise Boom("told to")
        case ("throw", *_):
            raise Throw(("stop", "thrown", actor))
        case ("stop", _, number):
            return "stop", REASONS[number % 4], actor
        case ("bad_return", *_):
            return "nonsense"
        case ("unlink", *_):
            actor.world.unlinked.add(self())
            unlink(actor.parent)
        case ("linger", seconds, _):
            actor.lingers = seconds
        case ("link", Pid() as other):
            try:
                link(other)
            except NoProc:
                return "stop", "noproc", actor
        case ("monitor", Pid() as other):
            actor.world.watching(self(), monitor(other), other)
        case ("spawn", seconds, number):
            spawn_link(_offspring, seconds, REASONS[number % 4])
        case ("timer", seconds, _):
            due = actor.world.now() + seconds
            send_after(seconds, self(), ("tick", due))
        case ("tick", due):
            if actor.world.now() < due:
                actor.world.accuse(f"a timer of {actor.node.id} fired before its time")
        case ("timeout", seconds, _):
            return "noreply", actor, seconds
        case ("answer", From() as from_, value):
            reply(from_, value)
        case ("DOWN", Ref() as ref, "process", other, _):
            actor.world.saw_down(self(), ref, other)
    return "noreply", actor


def respond(actor: Actor, request: Any, from_: From) -> Any:
    """What any worker does with a call."""
    match request:
        case ("echo", value):
            return "reply", value, actor
        case ("seq", sender, number):
            actor.world.hears(actor, sender, number)
            return "reply", number, actor
        case ("late", value, seconds):
            send_after(seconds, self(), ("answer", from_, value))
        case ("early", value):
            reply(from_, value)
        case ("raise", _):
            raise Boom("in a call")
        case ("stop_with_reply", value):
            return "stop", "normal", value, actor
        case ("stop", _):
            return "stop", "bad", actor
    return "noreply", actor


async def _offspring(seconds: float, reason: Any) -> None:
    await trio.sleep(seconds)
    raise Exit(reason)


class PlainActor(GenServer):
    """A callback process."""

    def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = Actor(world, node, parent)
        return _answer(_settle_in(actor), actor)

    def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`."""
        return respond(state, request, from_)

    def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, request)

    def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, message)


class AsyncActor(GenServer):
    """A server with async callbacks; it can be slow."""

    async def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = Actor(world, node, parent)
        started = _settle_in(actor)
        if isinstance(started, tuple):
            await trio.sleep(started[1])
        return _answer(started, actor)

    async def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`; "slow" waits first."""
        if request[0] == "slow":
            await trio.sleep(request[2])
            return "reply", request[1], state
        return respond(state, request, from_)

    async def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`; "hang" waits first."""
        if type(request) is tuple and request[0] == "hang":
            await trio.sleep(request[1])
        return react(state, request)

    async def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, message)

    async def terminate(self, _reason: Any, state: Actor) -> None:
        """Take the time a fault has ordered."""
        if state.lingers:
            await trio.sleep(state.lingers)


async def _task_actor(world: World, node: Worker, parent: Pid) -> None:
    actor = Actor(world, node, parent)
    started = _settle_in(actor)
    if isinstance(started, tuple):
        await trio.sleep(started[1])
    elif started == "ignore":
        _proc_lib.init_ignore()
    elif started != "ok":
        _proc_lib.init_fail("injected", "injected" if started == "fail" else "normal")
    _proc_lib.init_ack()
    try:
        while True:
            message = await receive()
            match message:
                case ("EXIT", pid, reason) if pid is parent:
                    raise Exit(reason)
                case ("$gen_call", from_, request):
                    done = respond(actor, request, from_)
                    if done[0] == "reply":
                        reply(from_, done[1])
                case ("$gen_cast", ("hang", seconds, _)):
                    await trio.sleep(seconds)
                    done = ()
                case ("$gen_cast", request):
                    done = react(actor, request)
                case _:
                    done = react(actor, message)
            if done == "nonsense":
                raise Boom("bad return")
            if done and done[0] == "stop":
                if len(done) == 4:
                    reply(from_, done[2])
                raise Exit(done[1])
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(actor.lingers)


async def start_worker(world: World, node: Worker, parent: Pid) -> Pid:
    """Start one, linked to the calling process; raises as start functions do."""
    name = node.id if node.named else None
    if node.kind == "task":
        pid: Pid = await _proc_lib.start(_task_actor, world, node, parent, name=name, link=True)
        return pid
    cls = PlainActor if node.kind == "plain" else AsyncActor
    return await cls.start_link(world, node, parent, name=name)
