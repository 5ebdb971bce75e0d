"""Registry: finding processes by any key, and telling all that share one.

With unique keys it names processes; the name has the form ``("via", Registry, (registry,
key))`` and is taken wherever a name is:

    >>> import supervisors as otp
    >>> from supervisors import Agent, Registry
    >>> async def sessions():
    ...     await Registry.start_link(name="sessions")
    ...     alice = ("via", Registry, ("sessions", "alice"))
    ...     pid = await Agent.start_link(lambda: "hello", name=alice)
    ...     print(Registry.lookup("sessions", "alice") == [(pid, None)])
    ...     await otp.stop(pid)
    ...     return Registry.lookup("sessions", "alice")
    >>> otp.run(sessions)
    True
    []

With duplicate keys it is a table of who wants to hear of what:

    >>> async def topics():
    ...     await Registry.start_link(keys="duplicate", name="topics")
    ...     Registry.register("topics", "weather", "me")
    ...     def tell(entries):
    ...         for pid, value in entries:
    ...             otp.send(pid, (value, "rain"))
    ...     Registry.dispatch("topics", "weather", tell)
    ...     return await otp.receive()
    >>> otp.run(topics)
    ('me', 'rain')

Entries belong to the process that made them and leave with it. When the registry itself
ends, all processes that have entries get its exit signal, so nobody lives on under a name
that cannot be found. Lookups and registrations run in the caller and wait for nobody.

Elixir: Registry (SEMANTICS 1.6). Where Elixir matches values with patterns, a function
that is given the value says whether the entry is meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import trio

from .._cell import cell, current_process, current_runtime, require_process, task_process
from .._errors import BadArg
from .._gen_server.behaviour import GenServer
from .._gen_server.plain import PlainServer
from .._names import Name, resolve
from .._pid import Pid
from .._process import info
from .._supervisor.spec import ChildSpec, Restart, Shutdown
from .entries import (
    Accepts,
    DuplicateTable,
    Entry,
    Kind,
    RegistryError,
    Table,
    UniqueTable,
)

T = TypeVar("T")
Where = Callable[[Hashable, Pid, Any], object]


class RegistryServer(GenServer):
    """The process behind a registry: it owns the table and is never asked anything."""

    def init(self, keys: Kind, partitions: int, listeners: tuple[Pid | Name, ...]) -> Any:
        process = current_process()
        assert process is not None, "init runs in the new process"
        if keys == "unique":
            return "ok", UniqueTable(process, listeners)
        return "ok", DuplicateTable(process, listeners, partitions)


def _table(registry: Pid | Name) -> Table:
    if type(registry) is str:
        process = cell.current or task_process.get()  # nearly always, and a step cheaper
        runtime = current_runtime() if process is None else process.runtime
        pid = runtime.names.get(registry)
    else:
        pid = registry if isinstance(registry, Pid) else resolve(registry)
    server = None if pid is None else pid._process
    if type(server) is PlainServer and isinstance(table := server.state, Table):
        return table
    raise BadArg(f"{registry!r} is no registry; start one with Registry.start_link(name=...)")


class Registry:
    """The functions of a registry; see the module's text for examples.

    Everywhere `registry` is its pid or name, BadArg when there is none; keys are hashable.
    """

    # --- starting ---------------------------------------------------------------------

    @staticmethod
    async def start_link(
        *,
        keys: Kind = "unique",
        name: Name | None = None,
        partitions: int = 1,
        listeners: Sequence[Pid | Name] = (),
    ) -> Pid:
        """Start a registry linked to the calling process.

        keys: "unique" or "duplicate". partitions: the entries of a duplicate key are
        spread over so many groups by process, and `dispatch` hands out group by group.
        listeners: get ``("register", registry, key, pid, value)`` and ``("unregister",
        registry, key, pid)``, registry by its name if it has one. The end of a process is
        no unregistration: a listener that cares monitors it.
        """
        if keys not in ("unique", "duplicate"):
            raise ValueError(f"keys={keys!r}; it is 'unique' or 'duplicate'")
        if partitions < 1:
            raise ValueError(f"partitions={partitions!r}; it is a whole number >= 1")
        return await RegistryServer.start_link(keys, partitions, tuple(listeners), name=name)

    @staticmethod
    def child_spec(
        *,
        keys: Kind = "unique",
        name: Name | None = None,
        partitions: int = 1,
        listeners: Sequence[Pid | Name] = (),
        id: Hashable = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = 5.0,
    ) -> ChildSpec:
        """A registry as a child of a supervisor, before those that register in it."""
        options: dict[str, Any] = {"keys": keys, "partitions": partitions, "listeners": listeners}
        return ChildSpec(
            id=id if id is not None else name or "Registry",
            start=(partial(Registry.start_link, name=name, **options), ()),
            restart=restart,
            shutdown=shutdown,
            modules=(f"{Registry.__module__}.Registry",),
        )

    # --- the entries of the calling process -------------------------------------------

    @staticmethod
    def register(registry: Pid | Name, key: Hashable, value: Any = None) -> Pid:
        """List the calling process under `key`; returns the registry's pid.

        RegistryError ``("already_registered", pid)`` when a unique key is taken, be it by
        the caller. A duplicate key may be registered any number of times.
        """
        process = require_process("Registry.register()")
        table = _table(registry)
        table.add(process, key, value)
        if table.listeners:
            table.tell(("register", table.name, key, process.pid, value))
        return table.pid

    @staticmethod
    def unregister(registry: Pid | Name, key: Hashable) -> None:
        """Take all entries of the calling process under `key` away; none is no error."""
        _unregister(registry, key, None)

    @staticmethod
    def unregister_match(registry: Pid | Name, key: Hashable, accepts: Accepts) -> None:
        """`unregister`, but only the entries whose value `accepts` says yes to."""
        _unregister(registry, key, accepts)

    @staticmethod
    def update_value(
        registry: Pid | Name, key: Hashable, fn: Callable[[Any], Any]
    ) -> tuple[Any, Any]:
        """Make ``fn(value)`` the value of the caller's entry: ``(new value, old value)``.

        RegistryError "not_owner" when the entry is not there or not the caller's; BadArg
        for a registry of duplicate keys.
        """
        me = require_process("Registry.update_value()").pid
        table = _unique(registry, "update_value()")
        pid, old = table.entries.get(key, (None, None))
        if pid is not me:
            raise RegistryError("not_owner")
        new = fn(old)
        table.entries[key] = (me, new)
        return new, old

    # --- looking ----------------------------------------------------------------------

    @staticmethod
    def lookup(registry: Pid | Name, key: Hashable) -> list[Entry]:
        """The ``(pid, value)`` pairs under a key, in the order of registration.

        With unique keys there is at most one, and its process is alive; with duplicate
        ones a process that is just ending may still be listed.
        """
        return _table(registry).lookup(key)

    @staticmethod
    def dispatch(registry: Pid | Name, key: Hashable, fn: Callable[[list[Entry]], object]) -> None:
        """Call `fn`, here and now, with the entries under a key: once for each partition
        that has some, not at all when there are none.
        """
        for entries in _table(registry).parts(key):
            fn(entries)

    @staticmethod
    def match(registry: Pid | Name, key: Hashable, accepts: Accepts) -> list[Entry]:
        """`lookup`, but only the entries whose value `accepts` says yes to."""
        return [entry for entry in _table(registry).lookup(key) if accepts(entry[1])]

    @staticmethod
    def select(registry: Pid | Name, where: Where | None = None) -> list[tuple[Hashable, Pid, Any]]:
        """All entries ``(key, pid, value)`` that ``where(key, pid, value)`` says yes to."""
        entries = _table(registry).everything()
        return [entry for entry in entries if where is None or where(*entry)]

    @staticmethod
    def keys(registry: Pid | Name, pid: Pid) -> list[Hashable]:
        """The keys of a process, one for each of its entries."""
        owner = _table(registry).owners.get(pid)
        return [] if owner is None else [key for key, n in owner.keys.items() for _ in n]

    @staticmethod
    def values(registry: Pid | Name, key: Hashable, pid: Pid) -> list[Any]:
        """The values that a process has under a key."""
        table = _table(registry)
        owner = table.owners.get(pid)
        if owner is None or key not in owner.keys:
            return []
        return [value for _, value in table.of_owner(key, owner)]

    @staticmethod
    def count(registry: Pid | Name) -> int:
        """How many entries there are."""
        return _table(registry).count()

    @staticmethod
    def count_match(registry: Pid | Name, key: Hashable, accepts: Accepts) -> int:
        """How many entries `match` would find."""
        return len(Registry.match(registry, key, accepts))

    @staticmethod
    def count_select(registry: Pid | Name, where: Where) -> int:
        """How many entries `select` would find."""
        return sum(1 for entry in _table(registry).everything() if where(*entry))

    @staticmethod
    async def lock(registry: Pid | Name, key: Hashable, fn: Callable[[], Awaitable[T]]) -> T:
        """``await fn()``, of all that lock the same key one at a time (Elixir 1.18).

        The key of a lock has nothing to do with entries. The end of who holds it frees it.
        """
        locks = _table(registry).locks
        lock = locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                return await fn()
        finally:
            if not lock.locked() and locks.get(key) is lock:
                del locks[key]

    # --- the module of via names (G19) --------------------------------------------------

    @staticmethod
    def whereis_name(term: tuple[Any, ...]) -> Pid | None:
        """The live process called ``(registry, key)``."""
        registry, key, _ = _term(term)
        found = _unique(registry, "a via name").lookup(key)
        return found[0][0] if found else None

    @staticmethod
    def register_name(term: tuple[Any, ...], pid: Pid) -> Literal["yes", "no"]:
        """List a process under ``(registry, key)`` or, with a value, ``(registry, key, value)``."""
        registry, key, value = _term(term)
        table = _unique(registry, "a via name")
        process = pid._process
        if process is None:
            return "no"
        try:
            table.add(process, key, value)
        except RegistryError:
            return "no"
        if table.listeners:
            table.tell(("register", table.name, key, pid, value))
        return "yes"

    @staticmethod
    def unregister_name(term: tuple[Any, ...]) -> None:
        """Take the name ``(registry, key)`` away from whoever has it."""
        registry, key, _ = _term(term)
        table = _unique(registry, "a via name")
        entry = table.entries.get(key)
        if entry is not None:
            table.drop(table.owners[entry[0]], key)
            table.tell(("unregister", table.name, key, entry[0]))

    @staticmethod
    def send(term: tuple[Any, ...], message: Any) -> None:
        """Send to the process called ``(registry, key)``; BadArg when nobody is."""
        pid = Registry.whereis_name(term)
        if pid is None:
            raise BadArg(f"no process is registered as {term[1]!r} in {term[0]!r}")
        pid._post(info(message))


def _unregister(registry: Pid | Name, key: Hashable, accepts: Accepts | None) -> None:
    me = require_process("Registry.unregister()").pid
    table = _table(registry)
    owner = table.owners.get(me)
    if owner is not None:
        table.drop(owner, key, accepts)
    if table.listeners:
        table.tell(("unregister", table.name, key, me))


def _unique(registry: Pid | Name, doing: str) -> UniqueTable:
    table = _table(registry)
    if isinstance(table, UniqueTable):
        return table
    raise BadArg(f"{doing} needs a registry of unique keys; {registry!r} has duplicate ones")


def _term(term: object) -> tuple[Any, Hashable, Any]:
    if isinstance(term, tuple) and len(term) in (2, 3):
        return term[0], term[1], term[2] if len(term) == 3 else None
    raise BadArg(f"{term!r} is no name in a registry; it is (registry, key)")
