"""What a node takes over from the one it replaces, as its tree is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import trio


@dataclass(frozen=True, slots=True)
class Inheritance:
    """doors: descriptors of listening sockets, by transport. key: with which states are sealed. gate: set when
    clients are to be let in.
    """

    doors: Mapping[str, int]
    key: bytes
    gate: trio.Event
