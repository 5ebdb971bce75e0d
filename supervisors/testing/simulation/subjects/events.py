"""Event managers: handlers that crash, swap and remove themselves, and who supervises them.

The ledger has an entry for each handler that was added; its terminate is called once, and
its supervisor is told once (rules E1-E3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from .... import gen_event
from ...._errors import CallExit
from ...._gen_event.behaviour import GenEvent
from ...._gen_event.client import HandlerError
from ...._gen_server.plain import PlainServer
from ...._pid import Pid
from ...._signals import is_alive, self, trap_exit
from ...._task import receive
from ..tree import Fault, Worker
from .manners import Boom
from .subject import FaultKind, Subject, WorkerKind, at, of_kind

if TYPE_CHECKING:
    from ..world import World


@dataclass(slots=True, eq=False)
class Installed:
    """One handler, and its state.

    owner: the process that supervises it. ends: how often it was terminated. told: how
    often its owner has heard of that. heard: the last number of each sender.
    """

    world: World
    manager: Pid
    serial: int
    owner: Pid | None = None
    ends: int = 0
    told: int = 0
    heard: dict[int, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<handler {self.serial} of {self.manager}>"


def _is_stillborn(serial: int) -> bool:
    """Whether the init of this handler raises."""
    return serial % 11 == 0


class Handlers:
    """Every handler whose manager lives, or whose owner may still hear of it, by serial."""

    def __init__(self) -> None:
        self.by_serial: dict[int, Installed] = {}


class Listener(GenEvent):
    """What all of them are: told by events what to do, each by its serial."""

    def init(self, args: Any) -> Any:
        """A new entry; after a swap, the heir of the old one."""
        if isinstance(args, tuple):  # (new entry, what terminate of the old one returned)
            new, old = args
            if isinstance(old, Installed):
                new.heard = dict(old.heard)
                new.owner = new.owner or old.owner
        else:
            new = args
        if _is_stillborn(new.serial):
            raise Boom("init of a handler")
        new.world.book(Handlers).by_serial[new.serial] = new
        return "ok", new

    def handle_event(self, event: Any, state: Installed) -> Any:
        """An order to one of the handlers, or a number to all."""
        match event:
            case ("seq", sender, number):
                before = state.heard.get(sender)
                if before is not None and number != before + 1:
                    state.world.accuse(f"{state} heard {number} of {sender} after {before}")
                state.heard[sender] = number
            case (verb, serial) if serial == state.serial:
                return _obey(verb, state)
        return "ok", state

    def handle_call(self, request: Any, state: Installed) -> Any:
        """Who it is, or an end."""
        if request == "who":
            return "ok", state.serial, state
        if request == "leave":
            return "remove_handler", state.serial
        raise Boom("call of a handler")

    def handle_info(self, _message: Any, state: Installed) -> Any:
        """Nothing to it."""
        return "ok", state

    def terminate(self, _argument: Any, state: Installed) -> Any:
        """Exactly once; the state goes to an heir."""
        state.ends += 1
        if state.ends > 1:
            state.world.accuse(f"{state} was terminated {state.ends} times")
        return state

    def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        """Refused when told so."""
        return ("ok", state) if extra != "refuse" else ("error", "refused")


def _obey(verb: str, state: Installed) -> Any:
    if verb == "crash":
        raise Boom("event")
    if verb == "remove":
        return "remove_handler"
    if verb == "bad":
        return "nonsense"
    heir = Installed(state.world, state.manager, state.world.number(), state.owner)
    return "swap_handler", "swapped", state, (Listener, heir.serial), heir


async def _start(world: World, node: Worker, _parent: Pid) -> Pid:
    return await gen_event.start_link(name=world.name_of(node))


# --- faults -------------------------------------------------------------------------------


def _handler(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(_owner, world, pid, fault.number)


async def _owner(world: World, manager: Pid, number: int) -> None:
    """Add a handler; a supervised one is waited for until its end."""
    entry = Installed(world, manager, world.number())
    supervised = number % 3 != 0
    if number % 2:
        trap_exit()
    if supervised:
        entry.owner = self()
    add = gen_event.add_sup_handler if supervised else gen_event.add_handler
    try:
        await add(manager, (Listener, entry.serial), entry)
    except (HandlerError, CallExit):
        return
    while supervised:
        message = await receive()
        match message:
            case ("gen_event_EXIT", (_, serial), reason):
                known = world.book(Handlers).by_serial.get(serial)
                if known is None and _is_stillborn(serial):
                    return  # the heir of a handler that swapped itself
                if known is None or known.owner is not self():
                    world.accuse(f"{self()} heard of the end of handler {serial}, not its own")
                    return
                known.told += 1
                swapped = isinstance(reason, tuple) and reason[0] == "swapped"
                if not swapped:
                    await _linger_on(world, known)
                    return
            case ("EXIT", pid, _) if pid is manager:
                return


async def _linger_on(world: World, entry: Installed) -> None:
    """Hear what else comes: not of the same handler again."""
    with trio.move_on_after(20.0):
        while True:
            message = await receive()
            if message[0] == "gen_event_EXIT" and message[1][1] == entry.serial:
                world.accuse(f"the end of {entry} was told twice")


def _event(world: World, fault: Fault, pid: Pid) -> None:
    handlers = [e for e in world.book(Handlers).by_serial.values() if e.manager is pid]
    verb = ("crash", "remove", "bad", "swap", "swap")[fault.number % 5]
    world.hire(_notifier, world, pid, handlers, verb, fault.number)


async def _notifier(
    world: World, manager: Pid, handlers: list[Installed], verb: str, number: int
) -> None:
    """Events in order, with one among them that ends a handler; one is waited for."""
    sender = world.number()
    for n in range(1, number % 7 + 2):
        gen_event.notify(manager, ("seq", sender, n))
    if handlers:
        gen_event.notify(manager, (verb, handlers[number % len(handlers)].serial))
    process = manager._process
    if process is None:
        return
    with world.calling(process, float("inf")):
        try:
            await gen_event.sync_notify(manager, ("seq", sender, number % 7 + 2))
        except CallExit:
            return


def _manage(world: World, fault: Fault, pid: Pid) -> None:
    handlers = [e for e in world.book(Handlers).by_serial.values() if e.manager is pid]
    if handlers:
        entry = handlers[fault.number % len(handlers)]
        world.hire(_manager_of, world, entry, fault.number)


async def _manager_of(world: World, entry: Installed, number: int) -> None:
    """Call a handler, delete it or swap it from outside."""
    manager, designation = entry.manager, (Listener, entry.serial)
    try:
        if number % 5 == 0:
            heir = Installed(world, manager, world.number())
            await gen_event.swap_handler(
                manager, (designation, "out"), ((Listener, heir.serial), heir)
            )
        elif number % 5 == 1:
            gone = await gen_event.delete_handler(manager, designation, "deleted")
            if gone is not entry:
                world.accuse(f"deleting {entry} answered {gone!r}")
        else:
            request = ("who", "leave", "crash")[number % 5 - 2]
            answer = await gen_event.call(manager, designation, request, 20.0)
            if answer != entry.serial:
                world.accuse(f"{entry} answered {answer!r}")
    except (HandlerError, CallExit):
        return


# --- what must hold -----------------------------------------------------------------------


def _check(world: World) -> Iterator[str]:
    entries = world.book(Handlers).by_serial
    found: dict[Pid, set[int]] = {}
    for entry in list(entries.values()):
        if entry.manager._process is None:
            del entries[entry.serial]  # a manager that was killed ends nobody (G9)
            continue
        if not world.rests(entry.manager):
            continue
        installed = found.get(entry.manager)
        if installed is None:
            installed = found[entry.manager] = _installed(entry.manager)
        owner = entry.owner
        if not entry.ends:
            if entry.serial not in installed:
                yield f"{entry} has gone without being terminated"
            elif owner is not None and not is_alive(owner):
                yield f"{entry} is there, and its owner {owner} has ended"
        elif entry.serial in installed:
            yield f"{entry} is there, and was terminated"
        elif owner is None or not is_alive(owner) or entry.told:
            if entry.told > 1:
                yield f"the end of {entry} was told {entry.told} times"
            del entries[entry.serial]
        elif world.rests(owner):
            yield f"the owner {owner} was not told of the end of {entry}"


def _installed(manager: Pid) -> set[int]:
    process = manager._process
    assert isinstance(process, PlainServer)
    serials = [one.state.serial for one in process.state]
    return set(serials)


_MANAGERS = of_kind("events")

SUBJECT = Subject(
    workers={"events": WorkerKind(_start, 2)},
    faults={
        "handler": FaultKind(at(_handler), 8, _MANAGERS),
        "event": FaultKind(at(_event), 8, _MANAGERS),
        "manage": FaultKind(at(_manage), 6, _MANAGERS),
    },
    check=_check,
)
