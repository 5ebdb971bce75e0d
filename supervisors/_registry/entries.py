"""The tables of a registry: entries by key, keys by process.

WHY a watch and no mailbox: a process that has entries carries one `Owner` among those who
are told of its end, so its entries leave while it ends, before any EXIT or DOWN is read.
The registry's own process is never woken: lookups and registrations are dict operations
in the caller, as Elixir's are on ETS tables.

The other way round, processes depend on the registry that lists them: when it ends they
get its exit signal, as if linked (`Closing`). A link per process would do the same, at the
price of a message to the registry for each end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from itertools import chain, count
from typing import Any, Final, Literal, TypeAlias

import trio

from .._errors import Reason, format_reason, interrupts, shown
from .._names import Name, resolve
from .._pid import Pid
from .._process import EXITING, Process, Watch, info, signal_exit
from .._reports import WarningReport

Kind = Literal["unique", "duplicate"]
Entry: TypeAlias = tuple[Pid, Any]
"""A process and the value it registered with."""
Accepts = Callable[[Any], object]
"""Says of a value whether its entry is meant."""


EACH_ITS_OWN: Final = "each kind of registry has its own tables"


class RegistryError(Exception):
    """A registry refused: Elixir's ``{:error, reason}``.

    reason: ``("already_registered", pid)``, or "not_owner" when somebody wants to change
    an entry that is not his.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Owner(Watch):
    """A process that has entries in one registry; gone when its last entry is.

    keys: each key and the serial numbers of the entries under it, the latest last.
    """

    __slots__ = ("keys", "pid", "table")

    def __init__(self, table: Table, pid: Pid) -> None:
        self.table = table
        self.pid = pid
        self.keys: dict[Hashable, list[int]] = {}

    def down(self, pid: Pid, reason: Reason) -> None:
        del self.table.owners[pid]
        for key, serials in self.keys.items():
            try:
                self.table.remove(key, self, serials)
            except BaseException as error:
                if interrupts(error):
                    raise
                self._stays(key, error)

    def _stays(self, key: Hashable, error: BaseException) -> None:
        """A key that does not hash or compare any more: its entry is never found again."""
        registry = self.table.pid._process
        if registry is not None:
            details = {"key": shown(key), "error": format_reason(error)}
            what = "an entry of the dead stays, for its key is broken"
            registry.runtime.reports.emit(WarningReport(registry.pid, what, details))


class Closing(Watch):
    """The end of the registry itself."""

    __slots__ = ("table",)

    def __init__(self, table: Table) -> None:
        self.table = table

    def down(self, pid: Pid, reason: Reason) -> None:
        owners, self.table.owners = self.table.owners, {}
        for owner in owners.values():
            process = owner.pid._process
            if process is not None:
                process.more().monitored_by.pop(owner, None)  # type: ignore[call-overload]
                signal_exit(process, pid, reason, linked=True)


class Table:
    """What every registry knows: its processes, its listeners, its locks.

    No ABC: each use of a registry asks `isinstance`, which takes five times as long of one.
    """

    kind: Kind

    def __init__(self, process: Process, listeners: tuple[Pid | Name, ...]) -> None:
        self.pid = process.pid
        self.name: Name | Pid = process.name or process.pid
        self.listeners = listeners
        self.owners: dict[Pid, Owner] = {}
        self.locks: dict[Hashable, trio.Lock] = {}
        closing = Closing(self)
        process.more().monitored_by[closing] = closing  # type: ignore[index]

    def __repr__(self) -> str:
        return f"<{self.kind} registry of {self.count()} entries by {len(self.owners)} processes>"

    # --- what the two kinds differ in -------------------------------------------------

    def add(self, process: Process, key: Hashable, value: Any) -> None:
        """A new entry; RegistryError when the key is taken."""
        raise AssertionError(EACH_ITS_OWN)

    def remove(self, key: Hashable, owner: Owner, serials: list[int]) -> None:
        """Drop these entries of `owner`, who does not list them any more."""
        raise AssertionError(EACH_ITS_OWN)

    def lookup(self, key: Hashable) -> list[Entry]:
        """The entries under a key."""
        raise AssertionError(EACH_ITS_OWN)

    def parts(self, key: Hashable) -> list[list[Entry]]:
        """The entries under a key, partition by partition, without the empty ones."""
        raise AssertionError(EACH_ITS_OWN)

    def of_owner(self, key: Hashable, owner: Owner) -> list[tuple[int, Any]]:
        """Serial number and value of the entries that one process has under a key."""
        raise AssertionError(EACH_ITS_OWN)

    def everything(self) -> Iterator[tuple[Hashable, Pid, Any]]:
        """All entries as ``(key, pid, value)``."""
        raise AssertionError(EACH_ITS_OWN)

    def count(self) -> int:
        """How many entries there are."""
        raise AssertionError(EACH_ITS_OWN)

    # --- common -----------------------------------------------------------------------

    def new_owner(self, process: Process) -> Owner:
        """The first entry of a process is about to be made."""
        pid = process.pid
        owner = self.owners[pid] = Owner(self, pid)
        extras = process.extras or process.more()
        extras.monitored_by[owner] = owner  # type: ignore[index]
        return owner

    def drop(self, owner: Owner, key: Hashable, accepts: Accepts | None = None) -> None:
        """Take away the entries of `owner` under a key, or those of them that are meant."""
        serials = owner.keys.get(key)
        if serials is None:
            return
        going = [
            number
            for number, value in self.of_owner(key, owner)
            if accepts is None or accepts(value)
        ]
        if len(going) == len(serials):
            del owner.keys[key]
        else:
            gone = set(going)
            owner.keys[key] = [number for number in serials if number not in gone]
        self.remove(key, owner, going)
        if not owner.keys:
            del self.owners[owner.pid]
            process = owner.pid._process
            if process is not None:
                process.more().monitored_by.pop(owner, None)  # type: ignore[call-overload]

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send to the listeners; one that is not there is passed over."""
        for listener in self.listeners:
            pid = listener if isinstance(listener, Pid) else resolve(listener)
            if pid is not None:
                pid._post(info(message))


_THE_ONE: Final = [0]
"""The serials of every entry under a unique key, one list for all: never changed."""


class UniqueTable(Table):
    """At most one process per key."""

    kind = "unique"

    def __init__(self, process: Process, listeners: tuple[Pid | Name, ...]) -> None:
        super().__init__(process, listeners)
        self.entries: dict[Hashable, Entry] = {}

    def add(self, process: Process, key: Hashable, value: Any) -> None:
        held = self.entries.get(key)
        if held is not None:
            holder = held[0]
            holding = holder._process
            if holding is not None and holding.status < EXITING:
                raise RegistryError(("already_registered", holder))
            if (left := self.owners.get(holder)) is not None:
                self.drop(left, key)  # it unwinds; its name is free
        pid = process.pid
        owner = self.owners.get(pid) or self.new_owner(process)
        owner.keys[key] = _THE_ONE
        self.entries[key] = (pid, value)

    def remove(self, key: Hashable, owner: Owner, serials: list[int]) -> None:
        if serials:
            del self.entries[key]

    def lookup(self, key: Hashable) -> list[Entry]:
        try:
            entry = self.entries[key]
        except KeyError:
            return []
        process = entry[0]._process
        return [entry] if process is not None and process.status < EXITING else []

    def parts(self, key: Hashable) -> list[list[Entry]]:
        found = self.lookup(key)
        return [found] if found else []

    def of_owner(self, key: Hashable, owner: Owner) -> list[tuple[int, Any]]:
        return [(0, self.entries[key][1])]

    def everything(self) -> Iterator[tuple[Hashable, Pid, Any]]:
        return ((key, pid, value) for key, (pid, value) in list(self.entries.items()))

    def count(self) -> int:
        return len(self.entries)


class DuplicateTable(Table):
    """Any number of entries per key, in the order of their registration.

    partitions: the entries of one key are spread over so many groups by process.
    """

    kind = "duplicate"

    def __init__(
        self, process: Process, listeners: tuple[Pid | Name, ...], partitions: int
    ) -> None:
        super().__init__(process, listeners)
        self.partitions: tuple[dict[Hashable, dict[int, Entry]], ...]
        self.partitions = tuple({} for _ in range(partitions))
        self.serials = count(1)

    def _partition(self, pid: Pid) -> dict[Hashable, dict[int, Entry]]:
        return self.partitions[pid.id % len(self.partitions)]

    def add(self, process: Process, key: Hashable, value: Any) -> None:
        pid = process.pid
        serial = next(self.serials)
        self._partition(pid).setdefault(key, {})[serial] = (pid, value)
        owner = self.owners.get(pid) or self.new_owner(process)
        owner.keys.setdefault(key, []).append(serial)

    def remove(self, key: Hashable, owner: Owner, serials: list[int]) -> None:
        partition = self._partition(owner.pid)
        entries = partition[key]
        for serial in serials:
            del entries[serial]
        if not entries:
            del partition[key]

    def lookup(self, key: Hashable) -> list[Entry]:
        return list(chain.from_iterable(self.parts(key)))

    def parts(self, key: Hashable) -> list[list[Entry]]:
        return [
            list(entries.values())
            for partition in self.partitions
            if (entries := partition.get(key)) is not None
        ]

    def of_owner(self, key: Hashable, owner: Owner) -> list[tuple[int, Any]]:
        entries = self._partition(owner.pid)[key]
        return [(serial, entries[serial][1]) for serial in owner.keys[key]]

    def everything(self) -> Iterator[tuple[Hashable, Pid, Any]]:
        for partition in self.partitions:
            for key, entries in list(partition.items()):
                for pid, value in list(entries.values()):
                    yield key, pid, value

    def count(self) -> int:
        return sum(len(entries) for part in self.partitions for entries in part.values())
