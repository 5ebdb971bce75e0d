"""Registries of unique and of duplicate keys: entries, listeners, names (SEMANTICS 1.6)."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

import trio

from ...._agent import Agent
from ...._errors import BadArg, CallExit, StartError
from ...._gen_server.calls import cast
from ...._pid import Pid
from ...._process import EXITING
from ...._registry.entries import RegistryError, Table
from ...._registry.registry import Registry
from ...._signals import is_alive, monitor, self
from ...._task import receive, spawn
from ..tree import Fault, Worker
from .manners import Actor, acts, tell
from .subject import FaultKind, Subject, WorkerKind, at, of_kind

if TYPE_CHECKING:
    from ..world import World


class Registrations:
    """What ought to be in each registry, and what its listener has still to hear.

    entries: by registry, how often each process has registered under each key. held: who
    has each lock.
    """

    def __init__(self) -> None:
        self.entries: dict[Pid, Counter[tuple[Hashable, Pid]]] = defaultdict(Counter)
        self.untold: dict[Pid, deque[tuple[Any, ...]]] = defaultdict(deque)
        self.listeners: dict[Pid, Pid] = {}
        self.held: dict[Hashable, Pid] = {}


async def _start(world: World, node: Worker, _parent: Pid) -> Pid:
    untold: deque[tuple[Any, ...]] = deque()
    listener = spawn(_listener, world, untold, label="listener")
    try:
        pid = await Registry.start_link(
            keys="duplicate" if node.kind == "topics" else "unique",
            name=world.name_of(node),
            partitions=2 if node.kind == "topics" else 1,
            listeners=[listener],
        )
    except BaseException:
        cast(listener, ("over",))
        raise
    book = world.book(Registrations)
    book.untold[pid] = untold
    book.listeners[pid] = listener
    cast(listener, ("follow", pid))
    return pid


async def _listener(world: World, untold: deque[tuple[Any, ...]]) -> None:
    """Hear of each change of one registry, in order and once, until that ends."""
    while True:
        match await receive():
            case ("$gen_cast", ("follow", pid)):
                monitor(pid)
            case ("DOWN", *_) | ("$gen_cast", ("over",)):
                return
            case (("register" | "unregister") as verb, _, key, pid, *_):
                due = untold.popleft() if untold else None
                if due != (verb, key, pid):
                    world.accuse(f"a listener heard {(verb, key, pid)} where {due} was due")


# --- faults -------------------------------------------------------------------------------


def _enlist(world: World, fault: Fault, pid: Pid) -> None:
    """Have an actor register, unregister or change an entry in a registry that lives."""
    registry = world.one_of(fault.other, fault.number)
    if registry is not None:
        node = world.nodes[fault.other]
        assert isinstance(node, Worker)
        tell(pid, _entry, registry, node.kind == "topics", fault.number)


def _entry(actor: Actor, registry: Pid, duplicate: bool, number: int) -> None:
    if registry._process is None:
        return
    key, me = number % 3, self()
    book = actor.world.book(Registrations)
    entries, untold = book.entries[registry], book.untold[registry]
    what = number // 3 % 5
    if what == 4:
        Registry.unregister(registry, key)
        entries.pop((key, me), None)
        untold.append(("unregister", key, me))
        return
    if what == 3 and not duplicate:
        try:
            Registry.update_value(registry, key, lambda _value: number)
        except RegistryError:
            if entries[key, me]:
                actor.world.accuse(f"{me} does not own key {key} of {registry}, which it has")
        return
    try:
        Registry.register(registry, key, number)
    except RegistryError as refused:
        holder = refused.reason[1]
        if not is_alive(holder) or not entries[key, holder]:
            actor.world.accuse(f"key {key} of {registry} is refused for {holder}, who has it not")
        return
    holders = [pid for (k, pid), n in entries.items() if k == key and n and is_alive(pid)]
    if holders and not duplicate:
        actor.world.accuse(f"key {key} of {registry} was given to {me}, and {holders} have it")
    entries[key, me] += 1
    untold.append(("register", key, me))


def _baptise(world: World, fault: Fault, pid: Pid) -> None:
    world.hire(_parent, world, pid, fault.number)


async def _parent(world: World, registry: Pid, number: int) -> None:
    """Start an agent under a via name, reach it by that name, and end it."""
    name = ("via", Registry, (registry, ("child", number % 2)))
    try:
        pid = await Agent.start(lambda: number, name=name)
    except (StartError, BadArg, RegistryError):
        return
    book = world.book(Registrations)
    key = name[2][1]
    book.entries[registry][key, pid] += 1
    book.untold[registry].append(("register", key, pid))
    try:
        value = await Agent.get(name, int)
        if value != number and pid._process is not None:
            world.accuse(f"{name} answered {value}, and {pid} would have said {number}")
        await Agent.stop(pid)
    except (CallExit, BadArg):
        return


def _lock(world: World, fault: Fault, pid: Pid) -> None:
    for n in range(fault.number % 3 + 2):
        world.hire(_locker, world, pid, (pid, fault.number % 2), fault.seconds / (n + 1))


async def _locker(world: World, pid: Pid, key: Hashable, seconds: float) -> None:
    """One at a time; the end of who holds a lock frees it."""
    held = world.book(Registrations).held

    async def alone() -> None:
        if key in held:
            world.accuse(f"the lock {key} is held by {held[key]} and by {self()}")
        held[key] = self()
        try:
            await trio.sleep(seconds)
        finally:
            del held[key]

    try:
        with trio.fail_after(500.0):
            await Registry.lock(pid, key, alone)
    except BadArg:
        return
    except trio.TooSlowError:
        world.accuse(f"{self()} has waited 500 s for the lock {key}")


# --- what must hold -----------------------------------------------------------------------


def _check(world: World) -> Iterator[str]:
    book = world.book(Registrations)
    for registry, listener in list(book.listeners.items()):
        process = registry._process
        table = getattr(process, "state", None)
        if not isinstance(table, Table):
            del book.listeners[registry]
            book.entries.pop(registry, None)
            book.untold.pop(registry, None)
            continue
        if book.untold[registry] and world.rests(listener):
            yield f"the listener of {registry} has not heard of {list(book.untold[registry])}"
        found: Counter[tuple[Hashable, Pid]] = Counter()
        for key, pid, _ in table.everything():
            record = pid._process
            if record is None:
                yield f"{registry} lists {pid} under {key!r}, which is gone"
            elif record.status < EXITING:
                found[key, pid] += 1
        entries = book.entries[registry]
        for entry in [entry for entry in entries if not is_alive(entry[1])]:
            del entries[entry]
        if found != +entries:
            yield f"{registry} lists {dict(found)} and ought to list {dict(+entries)}"
        if table.kind == "unique" and len({key for key, _ in found}) != found.total():
            yield f"{registry} has a unique key with several holders: {dict(found)}"


_REGISTRIES = of_kind("names", "topics")

SUBJECT = Subject(
    workers={"names": WorkerKind(_start, 2), "topics": WorkerKind(_start, 1)},
    faults={
        "enlist": FaultKind(at(_enlist), 12, acts, _REGISTRIES),
        "baptise": FaultKind(at(_baptise), 5, of_kind("names")),
        "lock": FaultKind(at(_lock), 3, _REGISTRIES),
    },
    check=_check,
)
