"""What a parent tells a worker before it starts, and what the worker tells afterwards.

The parent writes its orders as the first line of the worker's standard input and leaves that open: its
end is the order to stop, whether the parent means it or has died. The worker writes a report a line to
its standard output. All of it is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from erlmcp_py.config import Config

KEY_SIZE: Final = 32

BEAT: Final = 1.0
"""Seconds between two reports of how a worker is."""

SILENCE: Final = 5.0
"""Seconds without a report after which a worker counts as unresponsive."""


class Orders(msgspec.Struct, frozen=True):
    """config: complete, with the worker's own name. parent: the name of the parent node. number: of
    the worker, from 1 on. directory: of the control sockets. doors: descriptors of the listening
    sockets, by transport. key: secret of the node's workers, 32 bytes.
    """

    config: Config
    parent: str
    number: int
    directory: str
    doors: Mapping[str, int]
    key: bytes


class Finish(msgspec.Struct, frozen=True):
    """Said later on the same way: drain. deadline: seconds that requests have to end."""

    deadline: float


class Up(msgspec.Struct, frozen=True, tag=True):
    """The worker serves. lines: what a node of its kind says when it is up."""

    lines: tuple[str, ...]


class Beat(msgspec.Struct, frozen=True, tag=True):
    """The worker runs its loop. health: of the node, see `ops.health`. requests: at work, while it drains."""

    health: str
    requests: int = 0


class Drained(msgspec.Struct, frozen=True, tag=True):
    """The worker has finished. cut_off: requests that took too long."""

    cut_off: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot start as it is configured. text: one line for the operator."""

    text: str


Report = Up | Beat | Drained | Refused

_orders = msgspec.json.Decoder(Orders)
_finish = msgspec.json.Decoder(Finish)
_report: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def encode(message: Orders | Finish | Report) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def decode_orders(line: bytes) -> Orders:
    """Raises `msgspec.MsgspecError`."""
    return _orders.decode(line)


def decode_finish(line: bytes) -> Finish:
    """Raises `msgspec.MsgspecError`."""
    return _finish.decode(line)


def decode_report(line: str) -> Report:
    """Raises `msgspec.MsgspecError`."""
    return _report.decode(line)
