"""The table of one scope: which processes are in which groups, here and elsewhere.

WHY counts and not a list: a process may join as often as it likes and has to leave as
often. A mapping from pid to how often makes joining, leaving and dying independent of how
many others there are; the list that readers get is made when they ask.

WHY entries and no dict of keys: the key of a group is a user's object, whose ``==`` and
``hash`` may start to raise after it was used. They are asked only when somebody names a
group, and raise to whoever does. From then on a group is its `Entry`, so the dead leave and
listeners are told without a question to the key, under the hash it had.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import chain

from .._errors import interrupts
from .._pid import Pid, Ref

Group = Hashable


class Entry:
    """One group: how often each process is in it, and who is told.

    local: members of this node; remote: of others. there: somebody has joined, and not all
    have left. listeners: by the reference their messages carry.
    """

    __slots__ = ("group", "hash", "listeners", "local", "remote", "there")

    def __init__(self, group: Group, hash: int) -> None:
        self.group = group
        self.hash = hash
        self.there = False
        self.local: dict[Pid, int] = {}
        self.remote: dict[Pid, int] = {}
        self.listeners: dict[Ref, Pid] = {}

    def __repr__(self) -> str:
        return f"<Entry {expand(self.local)} and {expand(self.remote)} of other nodes>"

    def members(self) -> list[Pid]:
        return expand(self.local) + expand(self.remote)


def expand(counts: dict[Pid, int]) -> list[Pid]:
    """Each pid as often as it has joined."""
    return [pid for pid, times in counts.items() for _ in range(times)]


class Groups:
    """All groups of a scope; iterating gives the entries."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[int, list[Entry]] = {}

    def __repr__(self) -> str:
        return f"<Groups {list(self)}>"

    def __iter__(self) -> Iterator[Entry]:
        return chain.from_iterable(self._buckets.values())

    # --- what asks a key, and raises what it raises -------------------------------------

    def find(self, group: Group) -> Entry | None:
        """The entry of a group; None when nobody is in it or listens."""
        return self._find(group, hash(group))

    def open(self, group: Group) -> Entry:
        """The entry of a group, made if there is none; `close` it when it is not used."""
        number = hash(group)
        entry = self._find(group, number)
        if entry is None:
            entry = Entry(group, number)
            self._buckets.setdefault(number, []).append(entry)
        return entry

    def _find(self, group: Group, number: int) -> Entry | None:
        for entry in self._buckets.get(number, ()):
            if entry.group is group or _equal(entry.group, group):
                return entry
        return None

    # --- what does not ------------------------------------------------------------------

    def join(self, entry: Entry, pids: Iterable[Pid], *, remote: bool = False) -> None:
        """Add each pid once; a group is there from then on, even if `pids` is empty."""
        entry.there = True
        bucket = self._buckets.setdefault(entry.hash, [])
        if entry not in bucket:  # the last one left since it was found
            bucket.append(entry)
        counts = entry.remote if remote else entry.local
        for pid in pids:
            counts[pid] = counts.get(pid, 0) + 1

    def leave(self, entry: Entry, pids: Iterable[Pid], *, remote: bool = False) -> None:
        """Take each pid out once, those that are not in it never mind; the last one takes
        the group along.
        """
        counts = entry.remote if remote else entry.local
        for pid in pids:
            times = counts.get(pid, 0)
            if times > 1:
                counts[pid] = times - 1
            elif times:
                del counts[pid]
        entry.there = bool(entry.local or entry.remote)
        self.close(entry)

    def close(self, entry: Entry) -> None:
        """Forget an entry that has no use any more."""
        if entry.there or entry.listeners or (bucket := self._buckets.get(entry.hash)) is None:
            return
        bucket[:] = [kept for kept in bucket if kept is not entry]
        if not bucket:
            del self._buckets[entry.hash]


def _equal(kept: Group, asked: Group) -> bool:
    """``kept == asked``. A key that does not compare any more is only itself; what `asked`
    raises is for its user.
    """
    try:
        return bool(kept == asked)
    except BaseException as error:
        if interrupts(error) or _compares(kept):
            raise
        return False


def _compares(group: Group) -> bool:
    try:
        bool(group == group)
    except BaseException as error:
        if interrupts(error):
            raise
        return False
    return True
