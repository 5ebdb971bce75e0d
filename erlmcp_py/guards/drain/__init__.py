"""Draining: a node that is to end finishes what it has begun, up to a deadline.

`machine` decides, without I/O or clock; `process` carries it out in the node's tree. What serves clients is
a *member*: a process with a name that is cast ``("drain", Going)`` ten times a second while the node drains,
and answers each with a cast ``("left", name, Left)`` to the process `drain`. It lets nobody new in, ends
open streams, lets requests end, and lets go of clients that ask for nothing.
"""

from erlmcp_py.guards.drain.machine import (
    Drain,
    DrainSettings,
    DrainStatus,
    Going,
    Left,
    Outcome,
)
from erlmcp_py.guards.drain.process import (
    NAME,
    CutOff,
    begin,
    child_spec,
    status,
    tell_left,
    until_over,
)

__all__ = [
    "NAME",
    "CutOff",
    "Drain",
    "DrainSettings",
    "DrainStatus",
    "Going",
    "Left",
    "Outcome",
    "begin",
    "child_spec",
    "status",
    "tell_left",
    "until_over",
]
