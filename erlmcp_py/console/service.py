"""The console of a node: what its processes share, and the tree they stand in.

::

    console (one_for_one 3/60)
    ├── commands              commands added by applications
    ├── console_connections   (simple_one_for_one) a process per client
    └── control               accepts on the control socket

`Console` is made before the node's tree is started and closed after it has stopped. It
holds what must outlive a crash of any of these processes: the claim on the node's name,
the restart ledger (which has to see the very first start) and the callers' last looks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

from erlmcp_py.console import control, place
from erlmcp_py.console.claim import NameClaim, claim
from erlmcp_py.console.command import Command, CommandError, nearest
from erlmcp_py.console.looks import Looks
from erlmcp_py.console.peer import Peer
from erlmcp_py.console.restarts import Restarts
from erlmcp_py.console.table import TABLE, CommandTable, added_commands
from erlmcp_py.console.tracing import Traces
from supervisors import ChildSpec, Pid, Supervisor, SupFlags, current_runtime

Facts = Callable[[], Awaitable[dict[str, Any]]]


class Console:
    """The console service of one node.

    name: of the node. root: registered name of the supervisor where paths begin. stop:
    called when an operator stops the node; returns at once. facts: more lines for
    ``status`` (JSON-able), asked every time. connections: clients at once.

    Made inside an open `Runtime`; use as a context manager or `close` it.
    """

    def __init__(
        self,
        held: NameClaim,
        *,
        root: str = "node",
        stop: Callable[[], object],
        facts: Facts | None = None,
        connections: int = 64,
    ) -> None:
        self.claim = held
        self.name = held.name
        self.root = root
        self.stop = stop
        self.facts = facts
        self.max_connections = connections
        self.restarts = Restarts()
        self.looks = Looks()
        self.traces = Traces()
        self.peers: dict[Pid, Peer] = {}
        self.opened_at = trio.current_time()
        self._unsubscribe = current_runtime().subscribe(self.restarts.observe)

    @cached_property
    def built_in(self) -> dict[str, Command]:
        """The console's own commands by name; imported when somebody comes to use one."""
        from erlmcp_py.console.builtin import BUILT_IN

        return {command.name: command for command in BUILT_IN}

    @classmethod
    def open(
        cls,
        name: str,
        directory: str | Path | None = None,
        *,
        root: str = "node",
        stop: Callable[[], object],
        facts: Facts | None = None,
        held: NameClaim | None = None,
    ) -> Console:
        """Claim `name` in `directory` (None or "": the user's own) and listen for reports.

        held: the claim, where there is one already. Raises `PlaceError`; its subclass `NodeRunning` when another node has the name.
        """
        where = Path(directory) if directory else place.default_directory()
        return cls(held or claim(name, where), root=root, stop=stop, facts=facts)

    def close(self) -> None:
        """Give the name back; the processes must have ended."""
        self._unsubscribe()
        self.claim.release()

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def child_spec(self, id: str = "console") -> ChildSpec:
        """The console's supervisor as a child of the node."""
        return ConsoleSupervisor.child_spec(self, id=id, name=id)

    async def commands(self) -> list[Command]:
        """Every command, by name."""
        known = self.built_in | {command.name: command for command in await added_commands()}
        return sorted(known.values(), key=lambda command: command.name)

    async def command(self, name: str) -> Command:
        """The command called `name`; raises `CommandError` ``unknown_command``."""
        if name in self.built_in:
            return self.built_in[name]
        known = {command.name: command for command in await self.commands()}
        if name not in known:
            hint = nearest(name, known)
            raise CommandError("unknown_command", f"there is no command {name!r}{hint}")
        return known[name]


class ConsoleSupervisor(Supervisor):
    """The tree of the module docstring."""

    def init(self, console: Console) -> tuple[SupFlags, list[ChildSpec]]:
        """The three children, the listener last."""
        return SupFlags("one_for_one", 3, 60), [
            CommandTable.child_spec(lambda: console.built_in, id=TABLE, name=TABLE),
            ChildSpec(
                control.CONNECTIONS,
                (control.start_connections, (console,)),
                type="supervisor",
            ),
            ChildSpec("control", (control.start_listener, (console,))),
        ]
