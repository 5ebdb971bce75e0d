"""State machines in both styles: events postponed, inserted and timed (rules T1-T4).

A machine is "open" or "shut". Shut, it postpones numbered messages; open, it hears them.
What must come next is kept beside the machine and not asked of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import trio

from ...._errors import Throw
from ...._gen_server.calls import cast
from ...._gen_statem.behaviour import GenStateMachine
from ...._pid import Pid
from ...._signals import self
from ..tree import Fault, Worker
from .manners import Actor, begins, react, respond, settle_in, tell
from .subject import FaultKind, Subject, WorkerKind, at, of_kind

if TYPE_CHECKING:
    from ..world import World

POSTPONED: Final = (("seq",), ("knock",), ("grow",))
"""How the messages begin that a shut machine keeps for later."""


class Notes:
    """What is due to one machine.

    postponed: kept since the last change of state. retried: due now, before all else.
    parts: inserted events, due before those. timers: when each time-out is due, by name.
    """

    __slots__ = ("parts", "postponed", "retried", "state", "timers")

    def __init__(self) -> None:
        self.state = "open"
        self.postponed: list[Any] = []
        self.retried: deque[Any] = deque()
        self.parts: deque[Any] = deque()
        self.timers: dict[Any, float] = {}


class Machines:
    """The notes of every machine that lives, by pid."""

    def __init__(self) -> None:
        self.notes: dict[Pid, Notes] = {}


def _entered(actor: Actor, old: str, state: str) -> Any:
    notes: Notes = actor.notes
    if old != state:
        if notes.state != old:
            actor.world.accuse(f"{actor.node.id} enters {state} from {old}, not {notes.state}")
        notes.retried.extendleft(reversed(notes.postponed))
        notes.postponed = []
        notes.timers.pop("state_timeout", None)
    notes.state = state
    return "keep_state_and_data"


def _arrived(actor: Actor, type: Any, content: Any) -> None:
    """Any event but an enter call: it must be the one that is due."""
    notes: Notes = actor.notes
    if type != "timeout":
        notes.timers.pop("timeout", None)  # any event cancels it (T3)
    if notes.parts:
        due = notes.parts.popleft()
        if (type, content) != ("internal", due):
            actor.world.accuse(f"{actor.node.id} got {type} {content!r} before inserted {due!r}")
    elif type == "internal":
        actor.world.accuse(f"{actor.node.id} got the inserted event {content!r} a second time")
    elif notes.retried:
        due = notes.retried.popleft()
        if content is not due:
            actor.world.accuse(f"{actor.node.id} got {content!r} before postponed {due!r}")


def _fired(actor: Actor, name: Any) -> Any:
    due = actor.notes.timers.pop(name, None)
    now = actor.world.now()
    if due is None:
        actor.world.accuse(f"{actor.node.id}: the time-out {name!r} fired, which does not run")
    elif now < due - 1e-9:
        actor.world.accuse(f"{actor.node.id}: the time-out {name!r} fired at {now}, due at {due}")
    return "keep_state_and_data"


def handle(actor: Actor, type: Any, content: Any, state: str) -> Any:
    """What any machine does with an event."""
    if type == "enter":
        return _entered(actor, content, state)
    _arrived(actor, type, content)
    if type in ("timeout", "state_timeout") or type == ("timeout", content):
        return _fired(actor, type)
    if type == "internal":
        return "keep_state_and_data"
    if state == "shut" and isinstance(content, tuple) and content[:1] in POSTPONED:
        actor.notes.postponed.append(content)
        return "keep_state_and_data", "postpone"
    if isinstance(content, tuple) and content[:1] == ("knock",):
        return "next_state", "shut", actor
    if isinstance(content, tuple) and content[:1] == ("grow",):
        return _inserted(actor, 2)[1]
    if isinstance(type, tuple) and type[0] == "call":
        answer = respond(actor, content, type[1])
        if answer[0] == "reply":
            return "keep_state_and_data", [("reply", type[1], answer[1])]
        if answer[0] == "stop" and len(answer) == 4:
            return "stop_and_reply", answer[1], [("reply", type[1], answer[2])], actor
    else:
        try:
            answer = react(actor, content)
        except Throw as thrown:
            answer = thrown.value
    if answer[0] == "noreply":
        return "keep_state_and_data" if len(answer) == 2 else ("keep_state_and_data", answer[2])
    return answer[1] if answer[0] == "machine" else answer


class Functions(GenStateMachine):
    """One function per state, plain."""

    def callback_mode(self) -> Any:
        """With enter calls."""
        return ["state_functions", "state_enter"]

    def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = _introduced(world, node, parent)
        return begins(settle_in(actor), "ok", "open", actor)

    def open(self, type: Any, content: Any, actor: Actor) -> Any:
        """As `handle`."""
        return handle(actor, type, content, "open")

    def shut(self, type: Any, content: Any, actor: Actor) -> Any:
        """As `handle`."""
        return handle(actor, type, content, "shut")

    def code_change(self, old_vsn: Any, state: Any, actor: Actor, extra: Any) -> Any:
        """Refused when told so."""
        return ("ok", state, actor) if extra != "refuse" else ("error", "refused")


class Anything(GenStateMachine):
    """One function for all states, async."""

    def callback_mode(self) -> Any:
        """With enter calls."""
        return ["handle_event_function", "state_enter"]

    async def init(self, world: World, node: Worker, parent: Pid) -> Any:
        """Begin as the next fault for this id has it."""
        actor = _introduced(world, node, parent)
        started = settle_in(actor)
        if isinstance(started, tuple):
            await trio.sleep(started[1])
        return begins(started, "ok", "open", actor)

    async def handle_event(self, type: Any, content: Any, state: Any, actor: Actor) -> Any:
        """As `handle`; "hang" and "slow" wait first."""
        if isinstance(content, tuple) and content[:1] == ("hang",):
            await trio.sleep(content[1])
        answer = handle(actor, type, content, state)
        if isinstance(content, tuple) and content[:1] == ("slow",):
            await trio.sleep(content[2])
            return "keep_state_and_data", [("reply", type[1], content[1])]
        return answer

    async def terminate(self, _reason: Any, _state: Any, actor: Actor) -> None:
        """Take the time a fault has ordered."""
        if actor.lingers:
            await trio.sleep(actor.lingers)

    def code_change(self, old_vsn: Any, state: Any, actor: Actor, extra: Any) -> Any:
        """Refused when told so."""
        return ("ok", state, actor) if extra != "refuse" else ("error", "refused")


def _introduced(world: World, node: Worker, parent: Pid) -> Actor:
    actor = Actor(world, node, parent)
    actor.notes = world.book(Machines).notes[self()] = Notes()
    return actor


async def _start_plain(world: World, node: Worker, parent: Pid) -> Pid:
    return await Functions.start_link(world, node, parent, name=world.name_of(node))


async def _start_async(world: World, node: Worker, parent: Pid) -> Pid:
    return await Anything.start_link(world, node, parent, name=world.name_of(node))


# --- faults -------------------------------------------------------------------------------


def _turn(_world: World, fault: Fault, pid: Pid) -> None:
    """Change the state, or stay in it: the one retries what was postponed, the other not (T2)."""
    tell(pid, _turned, fault.number % 5)


def _turned(actor: Actor, choice: int) -> Any:
    state = actor.notes.state
    other = "shut" if state == "open" else "open"
    if choice == 3:
        return "machine", ("repeat_state", actor)
    return "machine", ("next_state", state if choice == 4 else other, actor)


def _knock(world: World, fault: Fault, pid: Pid) -> None:
    """Numbered messages among others that shut an open machine or make it insert events."""
    sender = world.number()
    for number in range(1, fault.number + 1):
        cast(pid, ("seq", sender, number))
        if number == fault.number // 2:
            cast(pid, ("knock", sender))
        elif number % 4 == 0:
            cast(pid, ("grow", sender))


def _insert(_world: World, fault: Fault, pid: Pid) -> None:
    tell(pid, _inserted, fault.number % 4 + 1)


def _inserted(actor: Actor, count: int) -> Any:
    parts = [(actor.world.number(), n) for n in range(count)]
    actor.notes.parts.extend(parts)
    return "machine", ("keep_state_and_data", [("next_event", "internal", p) for p in parts])


def _time(_world: World, fault: Fault, pid: Pid) -> None:
    tell(pid, _set, fault.number, fault.seconds)


def _set(actor: Actor, number: int, seconds: float) -> Any:
    name: Any = ("timeout", "state_timeout", ("timeout", "a"), ("timeout", "b"))[number % 4]
    what = number // 4 % 5
    if what == 3:
        actor.notes.timers.pop(name, None)
        return "machine", ("keep_state_and_data", (name, "cancel"))
    if what == 4:
        if name == "timeout":
            actor.notes.timers.pop(name, None)  # this very event has cancelled it
        actor.notes.timers.setdefault(name, actor.world.now())
        return "machine", ("keep_state_and_data", (name, "update", _content(name)))
    return _machine_timed(actor, name, 0.0 if what == 2 else seconds)


def _content(name: Any) -> Any:
    return name[1] if isinstance(name, tuple) else "due"


def _timed(actor: Actor, name: Any, seconds: float) -> Any:
    actor.notes.timers[name] = actor.world.now() + seconds
    return "keep_state_and_data", (name, seconds, _content(name))


def _machine_timed(actor: Actor, name: Any, seconds: float) -> Any:
    return "machine", _timed(actor, name, seconds)


# --- what must hold -----------------------------------------------------------------------


def postpones(world: World, pid: Pid) -> bool:
    """Whether a process is a machine that keeps messages for a later state."""
    notes = world.book(Machines).notes.get(pid)
    return notes is not None and bool(notes.postponed)


def _check(world: World) -> Iterator[str]:
    book = world.book(Machines)
    now = world.now()
    for pid, notes in list(book.notes.items()):
        if pid._process is None:
            del book.notes[pid]
        elif world.rests(pid):
            if notes.retried or notes.parts:
                left = [*notes.parts, *notes.retried]
                yield f"{pid} waits, and has not handled its own events {left}"
            for name, due in notes.timers.items():
                if due < now:
                    yield f"{pid}: the time-out {name!r} was due at {due} and has not fired"


_MACHINES = of_kind("machine", "async_machine")

SUBJECT = Subject(
    workers={
        "machine": WorkerKind(_start_plain, 3),
        "async_machine": WorkerKind(_start_async, 2),
    },
    faults={
        "turn": FaultKind(at(_turn), 10, _MACHINES),
        "knock": FaultKind(at(_knock), 6, _MACHINES),
        "insert": FaultKind(at(_insert), 5, _MACHINES),
        "time": FaultKind(at(_time), 8, _MACHINES),
    },
    check=_check,
)
