"""What travels between two nodes: the signals of rule P1, as plain data.

Pids, references and the `From` of a call appear in them as the sending node knows them; who
carries a signal puts the receiving node's own objects in their place (`wire`). `to` names
the receiver of a signal: a pid of that node, a name registered there, an alias.

`number` stands for one monitor between two nodes. A call is a monitor of the same number,
a `Call` and then a `Reply` or a `Down` (rule G13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from .._errors import Reason
from .._pid import Pid, Ref


@dataclass(frozen=True, slots=True)
class Message:
    """A message sent with `send`."""

    to: Pid | Ref | str
    body: Any


@dataclass(frozen=True, slots=True)
class Cast:
    """A request without reply."""

    to: Pid | Ref | str
    body: Any


@dataclass(frozen=True, slots=True)
class Call:
    """A request; caller: the process that asks, None when it is no process."""

    number: int
    caller: Pid | None
    to: Pid | str
    body: Any


@dataclass(frozen=True, slots=True)
class System:
    """A system message (1.7): a request of `sys`, number None when nobody waits for a reply."""

    number: int | None
    to: Pid | str
    request: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the call or system message of that number."""

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class NoReply:
    """The value of a `Reply` that could not travel: what the call fails with."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Link:
    """`sender` is linked to `to` (P5); see `links` for what becomes of it."""

    sender: Pid
    to: Pid


@dataclass(frozen=True, slots=True)
class Unlink:
    """`sender` has removed the link (P8), and wants to know when that is known."""

    number: int
    sender: Pid
    to: Pid


@dataclass(frozen=True, slots=True)
class UnlinkAck:
    """The `Unlink` of that number has arrived; ahead of all that is sent after it did."""

    number: int
    sender: Pid
    to: Pid


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit signal; linked: the end of a linked process, otherwise ``exit/2`` (P4)."""

    sender: Pid
    to: Pid | str
    reason: Reason
    linked: bool


@dataclass(frozen=True, slots=True)
class Monitor:
    """Watch `to`, and say `Down` with that number once (P9)."""

    number: int
    to: Pid | str


@dataclass(frozen=True, slots=True)
class Demonitor:
    """Watch no more (P10)."""

    number: int


@dataclass(frozen=True, slots=True)
class Down:
    """What the monitor of that number watched has ended, or is not there: "noproc"."""

    number: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What came in the place of a signal that cannot be made out here; it never travels.

    number: of the request that it was, None for what nobody waits for. error: why.
    """

    number: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Service:
    """Between the same part of two nodes, e.g. the keepers of global names."""

    name: str
    body: Any


Signal: TypeAlias = (
    Message
    | Cast
    | Call
    | System
    | Reply
    | Link
    | Unlink
    | UnlinkAck
    | Exit
    | Monitor
    | Demonitor
    | Down
    | Service
    | Unreadable
)
