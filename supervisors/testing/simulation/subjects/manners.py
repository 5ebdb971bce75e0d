"""The manners of those workers that do what they are told, whatever behaviour they have.

They carry out what faults tell them, and tell the ledger (`world`) what they hear. An order
is a message ``("do", function, *arguments)``: the subjects bring their own functions, each
called as ``function(actor, *arguments)`` and answering a gen_server return, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from ...._errors import Exit, NoProc, Throw
from ...._gen_server.calls import From, cast, reply
from ...._limits import limit_mailbox
from ...._pid import Pid, Ref
from ...._signals import exit_signal, link, self, send_after, trap_exit, unlink
from ...._task import spawn_link
from ..tree import Node, Worker

if TYPE_CHECKING:
    from ..world import World

REASONS: Final = ("normal", "shutdown", ("shutdown", "done"), "bad", "kill")
"""Exit reasons that a fault picks from by number."""

ACTORS: Final = ("plain", "async", "task", "machine", "async_machine")
"""The kinds of workers with these manners; the others are services with an API."""


def acts(node: Node) -> bool:
    """Whether it is a worker that does what it is told."""
    return isinstance(node, Worker) and node.kind in ACTORS


def listens(node: Node) -> bool:
    """Whether it may be sent anything; a supervisor drops what it does not know (V15)."""
    return acts(node) or not isinstance(node, Worker)


class Boom(Exception):
    """What a simulated worker raises when told to."""


class Actor:
    """The state of one worker: who it is, and the last number heard from each sender."""

    __slots__ = ("heard", "lingers", "node", "notes", "parent", "watches", "world")

    def __init__(self, world: World, node: Worker, parent: Pid) -> None:
        self.world = world
        self.node = node
        self.parent = parent
        self.heard: dict[int, int] = {}
        self.watches: list[Ref] = []
        self.lingers = 0.0
        self.notes: Any = None

    def __repr__(self) -> str:
        return f"<Actor {self.node.id}>"


def settle_in(actor: Actor) -> str | tuple[str, float]:
    """What this start comes to: "ok", "ignore", "fail", "error", or a time to wait first."""
    if actor.node.traps:
        trap_exit()
    if actor.node.limit:
        limit_mailbox(actor.node.limit, actor.node.policy)
    mode, seconds = actor.world.next_init(actor.node.id)
    if mode == "raise":
        raise Boom("init")
    if mode == "exit":
        exit_signal(self(), "kill")
    return ("slow", seconds) if mode == "slow" else mode


def begins(started: str | tuple[str, float], *ok: Any) -> Any:
    """What init returns: `ok` for a start that comes off."""
    if started in ("fail", "error"):
        return {"fail": "stop", "error": "error"}[str(started)], "injected"
    return "ignore" if started == "ignore" else ok


def tell(pid: Pid, function: Callable[..., Any], *arguments: Any) -> None:
    """Give a worker an order."""
    cast(pid, ("do", function, *arguments))


def react(actor: Actor, message: Any) -> Any:
    """What any worker does with a cast or an info message, as a gen_server return."""
    if type(message) is not tuple:
        return "noreply", actor
    match message:
        case ("seq", sender, number):
            actor.world.hears(actor, sender, number)
        case ("do", function, *arguments):
            return function(actor, *arguments) or ("noreply", actor)
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
        case ("spawn", seconds, number):
            spawn_link(_offspring, seconds, REASONS[number % 4])
        case ("timer", seconds, _):
            due = actor.world.now() + seconds
            send_after(seconds, self(), ("tick", due))
        case ("tick", due):
            if actor.world.now() < due:
                actor.world.accuse(f"a timer of {actor.node.id} fired before its time")
        case ("churn", _, number):
            if number:
                cast(self(), ("churn", 0.0, number - 1))
        case ("answer", From() as from_, value):
            reply(from_, value)
        case ("DOWN" | "gone", Ref() as ref, "process", other, _):
            actor.world.saw_down(self(), ref, other, message[0])
    return "noreply", actor


def respond(actor: Actor, request: Any, from_: From) -> Any:
    """What any worker does with a call."""
    match request:
        case ("echo", value):
            return "reply", value, actor
        case ("who",):
            return "reply", actor.node.id, actor
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
