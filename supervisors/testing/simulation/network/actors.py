"""The workers of a simulated network: three kinds of process, one set of manners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from ...._cell import require_process
from ...._errors import Exit
from ...._gen_server.behaviour import GenServer
from ...._gen_server.calls import From, reply
from ...._proc_lib import init_ack, start
from ...._signals import self as own_pid
from ...._signals import send, send_after, trap_exit
from ...._task import receive
from .world import Key, World, key_of

if TYPE_CHECKING:
    from ...._pid import Pid
    from .plan import Member


class Boom(Exception):
    """What a simulated worker raises when told to."""


class Actor:
    """The state of one worker: who it is, and what the subjects note about it."""

    __slots__ = ("key", "life", "node", "notes", "parent", "world")

    def __init__(self, world: World, node: str, member: Member, parent: Pid) -> None:
        process = require_process("a worker")
        if member.traps:
            trap_exit()
        self.world = world
        self.node = node
        self.parent = parent
        self.key: Key = key_of(process.pid)
        self.life = world.born(process, f"{node}/{member.id}", member.traps)
        self.notes: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Actor {self.life}>"


def react(actor: Actor, message: Any) -> Any:
    """What any worker does with a cast or an info message, as a gen_server return."""
    if type(message) is not tuple or not message:
        return "noreply", actor
    match message:
        case ("do", order, *arguments):
            return order(actor, *arguments) or ("noreply", actor)
        case ("answer", From() as from_, value):
            reply(from_, value)
        case (kind, *rest) if type(kind) is str and kind in actor.world.reactions:
            return actor.world.reactions[kind](actor, *rest) or ("noreply", actor)
    return "noreply", actor


def respond(actor: Actor, request: Any, from_: From) -> Any:
    """What any worker does with a call."""
    match request:
        case ("echo", value):
            return "reply", value, actor
        case ("late", value, seconds):
            send_after(seconds, own_pid(), ("answer", from_, value))
        case ("early", value):
            reply(from_, value)
        case ("delegate", value, other):
            send(other, ("answer", from_, value))
        case ("raise", _):
            raise Boom("in a call")
        case ("stop_with_reply", value):
            return "stop", "normal", value, actor
        case ("stop", _):
            return "stop", "bad", actor
        case ("seq", *_):
            react(actor, request)
            return "reply", "heard", actor
    return "noreply", actor


class PlainMember(GenServer):
    """A callback process."""

    def init(self, world: World, node: str, member: Member, parent: Pid) -> Any:
        """Enter the ledger."""
        return "ok", Actor(world, node, member, parent)

    def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`."""
        return respond(state, request, from_)

    def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, request)

    def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, message)


class AsyncMember(GenServer):
    """A server with async callbacks; it can be slow."""

    async def init(self, world: World, node: str, member: Member, parent: Pid) -> Any:
        """Enter the ledger."""
        return "ok", Actor(world, node, member, parent)

    async def handle_call(self, request: Any, from_: From, state: Actor) -> Any:
        """As `respond`."""
        return respond(state, request, from_)

    async def handle_cast(self, request: Any, state: Actor) -> Any:
        """As `react`; "hang" waits first."""
        if type(request) is tuple and request[0] == "hang":
            await trio.sleep(request[1])
        return react(state, request)

    async def handle_info(self, message: Any, state: Actor) -> Any:
        """As `react`."""
        return react(state, message)


async def _task_member(world: World, node: str, member: Member, parent: Pid) -> None:
    actor = Actor(world, node, member, parent)
    init_ack()
    while True:
        message = await receive()
        match message:
            case ("EXIT", pid, reason) if pid is parent:
                raise Exit(reason)
            case ("$gen_call", from_, request):
                done = respond(actor, request, from_)
                if done[0] == "reply" or len(done) == 4:
                    reply(from_, done[-2])
            case ("$gen_cast", ("hang", seconds)):
                await trio.sleep(seconds)
                continue
            case ("$gen_cast", request):
                done = react(actor, request)
            case _:
                done = react(actor, message)
        if done[0] == "stop":
            raise Exit(done[1])


async def start_member(world: World, node: str, member: Member) -> Pid:
    """Start one under its id, linked to the calling process."""
    parent = own_pid()
    if member.kind == "task":
        pid: Pid = await start(_task_member, world, node, member, parent, name=member.id, link=True)
        return pid
    cls = PlainMember if member.kind == "plain" else AsyncMember
    return await cls.start_link(world, node, member, parent, name=member.id)
