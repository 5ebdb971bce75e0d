"""What a supervisor tells about its children: the records of the administration calls."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

from .spec import ChildSpec, ChildType


class ChildInfo(NamedTuple):
    """One child, as `which_children` lists it.

    id: its id, None for a child of a simple_one_for_one supervisor. pid: its `Pid`, None
    when it does not run, "restarting" while a failed restart waits to be tried again.
    type: "worker" or "supervisor". modules: as in its spec.
    """

    id: Hashable
    pid: Any
    type: ChildType
    modules: tuple[str, ...] | Literal["dynamic"] | None

    @classmethod
    def of(cls, id: Hashable, pid: Any, spec: ChildSpec) -> ChildInfo:
        return cls(id, pid, spec.type, spec.modules)


class ChildCounts(NamedTuple):
    """How many children there are, as `count_children` answers.

    specs: children in all, running or not; 1 for simple_one_for_one. active: those that
    run. supervisors, workers: children of each type, running or not.
    """

    specs: int
    active: int
    supervisors: int
    workers: int
