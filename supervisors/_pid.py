"""Process identifiers and references: values that can be held, compared, sent and printed.

WHY identity: a pid is hashed and compared on almost every kernel operation, so it uses
object identity, in C. That stays correct across serialisation because a pid that leaves
the process (pickle, a bus) is remembered weakly in `_exported`, and whatever comes back
with the same name, numbers and creation is that very object again.

WHY a creation: a node that is started again in a new interpreter gives the same numbers
again. So what leaves carries the creation of its run, as in Erlang, and a pid or reference of
an earlier run that comes back, late or from a file, stands for nobody. It costs no memory:
all pids that are made here have the same, and it is not printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import total_ordering
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakValueDictionary

from ._cell import active_runtime, cell, task_process
from ._errors import shown

if TYPE_CHECKING:
    from ._process import Process

CREATION: Final = int.from_bytes(os.urandom(4), "big")
"""Which run of Python this is: 32 bits, as in Erlang, and at random, for nobody counts them."""

_PID = re.compile(r"<?(?P<node>[^<>]+)\.(?P<id>\d+)\.(?P<serial>\d+)>?")


Numbers: TypeAlias = tuple[str, int, int, int]
"""Node, id, serial and creation: what a pid is known by outside."""


def no_pid(doing: str, value: object) -> TypeError:
    """The error of a function that was given something else in the place of a pid."""
    return TypeError(f"{doing}: expected a pid, got {shown(value)}")


def drop(_message: object) -> None:
    """Where messages to the dead go: rule P12, a send to a dead pid is silent."""


@total_ordering
class Pid:
    """A process identifier, printed `<node.id.serial>`.

    Attributes
    ----------
    node: name of the node the process lives on.
    id: number of the process on its node, never used twice in one runtime.
    serial: number of the runtime in its run of Python. creation: which run that was.
    """

    __slots__ = ("__weakref__", "_post", "_process", "id", "node", "serial")

    creation: int = CREATION
    _post: Callable[[Any], None]
    _process: Process | None

    def __init__(self, node: str, id: int, serial: int) -> None:
        self.node = node
        self.id = id
        self.serial = serial
        self._process = None
        self._post = drop

    def __repr__(self) -> str:
        return f"<{self.node}.{self.id}.{self.serial}>"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Pid):
            return NotImplemented
        return (self.node, self.serial, self.id, self.creation) < (
            other.node,
            other.serial,
            other.id,
            other.creation,
        )

    def __reduce__(self) -> tuple[Callable[[str, int, int, int], Pid], Numbers]:
        export_pid(self)
        return intern_pid, (self.node, self.id, self.serial, self.creation)


class PidOfRun(Pid):
    """A pid that was made in another run of Python; here it stands for nobody."""

    __slots__ = ("creation",)

    def __init__(self, node: str, id: int, serial: int, creation: int) -> None:
        super().__init__(node, id, serial)
        self.creation = creation


_exported: WeakValueDictionary[Numbers, Pid] = WeakValueDictionary()


def export_pid(pid: Pid) -> None:
    """Remember a pid that leaves, so that what comes back is this object. One of another
    node is remembered by the endpoint of ours (`supervisors.distribution`).
    """
    if type(pid) is Pid:
        _exported[pid.node, pid.id, pid.serial, CREATION] = pid


def own_pid(node: str, id: int, serial: int, creation: int) -> Pid:
    """The one Pid object with these numbers for its own node, made if there is none."""
    key = (node, id, serial, creation)
    pid = _exported.get(key)
    if pid is None:
        own = creation == CREATION
        pid = Pid(node, id, serial) if own else PidOfRun(node, id, serial, creation)
        _exported[key] = pid
    return pid


def intern_pid(node: str, id: int, serial: int, creation: int) -> Pid:
    """The Pid object for these numbers as the current runtime has it."""
    process = cell.current or task_process.get()
    runtime = active_runtime.get() if process is None else process.runtime
    if runtime is not None and runtime.node != node and runtime.distributed:
        return runtime.endpoint.pid(node, id, serial, creation)
    return own_pid(node, id, serial, creation)


def split_pid(text: str) -> tuple[str, int, int]:
    """`"<node.id.serial>"` (brackets optional) as its three parts.

    Raises ValueError when the text is no pid.
    """
    match = _PID.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a pid; a pid looks like <node.12.0>")
    return match["node"], int(match["id"]), int(match["serial"])


_refs = count(1)


class Ref:
    """A unique reference: a monitor, an alias, a request. Compared by identity."""

    __slots__ = ("__weakref__", "number")

    def __init__(self) -> None:
        self.number = next(_refs)

    def __repr__(self) -> str:
        return f"#Ref<{self.number}>"


class Alias(Ref):
    """A reference that can be sent to, until it is not: an address to give away for one
    answer instead of a pid that is good for ever (rule P14).

    mode: "explicit_unalias", "reply" (gone with the first message), "demonitor" (gone with
    the monitor), "reply_demonitor" (gone with the first message, and so is the monitor),
    None when it is gone. It never outlives its owner: the dead take no mail.
    """

    __slots__ = ("mode", "owner")

    def __init__(self, owner: Process, mode: str) -> None:
        super().__init__()
        self.owner = owner
        self.mode: str | None = mode

    def _post(self, message: Any) -> None:
        """Deliver to the owner: the same attribute that `send` and `cast` use of a pid."""
        mode = self.mode
        if mode is None:
            return
        if mode == "reply" or mode == "reply_demonitor":
            self.mode = None
            self.owner.forget_monitor(self)
        self.owner.pid._post(message)

    def monitor_ended(self) -> None:
        """The monitor of the same reference fired or was removed."""
        if self.mode == "demonitor" or self.mode == "reply_demonitor":
            self.mode = None
