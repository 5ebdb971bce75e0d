"""The table of one scope: which processes are in which groups, here and elsewhere.

WHY counts and not a list: a process may join as often as it likes and has to leave as
often. A mapping from pid to how often makes joining, leaving and dying independent of how
many others there are; the list that readers get is made when they ask.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from .._pid import Pid

Group = Hashable


class Members:
    """How often each process is in one group: `local` those of this node, `remote` others."""

    __slots__ = ("local", "remote")

    def __init__(self) -> None:
        self.local: dict[Pid, int] = {}
        self.remote: dict[Pid, int] = {}

    def __repr__(self) -> str:
        return f"<Members {expand(self.local)} and {expand(self.remote)} of other nodes>"


def expand(counts: dict[Pid, int]) -> list[Pid]:
    """Each pid as often as it has joined."""
    return [pid for pid, times in counts.items() for _ in range(times)]


class Groups:
    """All groups of a scope."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table: dict[Group, Members] = {}

    def __repr__(self) -> str:
        return f"<Groups {self.table!r}>"

    def join(self, group: Group, pids: Iterable[Pid], *, remote: bool = False) -> None:
        """Add each pid once; a group is there from then on, even if `pids` is empty."""
        members = self.table.get(group)
        if members is None:
            members = self.table[group] = Members()
        counts = members.remote if remote else members.local
        for pid in pids:
            counts[pid] = counts.get(pid, 0) + 1

    def leave(self, group: Group, pids: Iterable[Pid], *, remote: bool = False) -> None:
        """Take each pid out once, those that are not in it never mind; the last one takes
        the group along.
        """
        members = self.table.get(group)
        if members is None:
            return
        counts = members.remote if remote else members.local
        for pid in pids:
            times = counts.get(pid, 0)
            if times > 1:
                counts[pid] = times - 1
            elif times:
                del counts[pid]
        if not members.local and not members.remote:
            del self.table[group]

    def members(self, group: Group) -> list[Pid]:
        found = self.table.get(group)
        return [] if found is None else expand(found.local) + expand(found.remote)

    def local_members(self, group: Group) -> list[Pid]:
        found = self.table.get(group)
        return [] if found is None else expand(found.local)

    def everything(self) -> dict[Group, list[Pid]]:
        """A copy of the whole table."""
        return {group: self.members(group) for group in self.table}

    def everything_local(self) -> dict[Group, list[Pid]]:
        """What other nodes need to know."""
        return {
            group: expand(members.local) for group, members in self.table.items() if members.local
        }
