"""A server definition as a node runs it: what the meaning of a request depends on beside itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from erlmcp_py.server.definition import Server
from erlmcp_py.server.gate import Gates
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.lifespan import States
from erlmcp_py.server.pages import Pages
from erlmcp_py.server.workers.pool import Workers
from supervisors import Pid

if TYPE_CHECKING:
    from erlmcp_py.server.tasks.book import TaskBook


@dataclass(frozen=True, slots=True)
class Host:
    """The circumstances of every request to one server process."""

    server: Server
    name: str
    """The name of the server in this node."""
    pid: Pid
    """The server process."""
    sealer: StateSealer = field(default_factory=StateSealer)
    """For what clients carry from one round of a request to the next."""
    clock: Callable[[], float] = time.time
    """Seconds of the wall clock, for what outlives the process."""
    tasks: TaskBook | None = None
    """Where the node keeps its tasks; None where nobody would work on them."""
    states: States = field(default_factory=dict)
    """Of the lifespans of the server and of those mounted in it."""
    workers: Workers | None = None
    """For handlers in processes of the operating system."""
    gates: Gates = field(default_factory=Gates)
    """Where calls wait for their turn."""
    pages: Pages = field(default_factory=Pages)
    """The lists, as far as they have been encoded."""
