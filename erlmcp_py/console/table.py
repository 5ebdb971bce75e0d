"""The commands that running applications add to the console.

The table is a process, registered as ``commands``. Who adds a command owns it: when the
owner dies, its commands leave with it, so the console never offers what nobody would
answer. An application puts an `announcer` into its own tree; that process owns the
application's commands and announces them again whenever the table was restarted, so the
two may start, crash and come back in any order.

The console's own commands are not in here: they must work when this process does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import supervisors
from erlmcp_py.console.command import Command
from supervisors import CallExit, ChildSpec, GenServer, Pid, Ref, call, monitor, send_after, whereis

TABLE = "commands"
"""The registered name of the table."""

ANSWER_WITHIN = 1.0
"""Seconds the table gets to answer."""

_RETRY = 0.1


@dataclass(frozen=True, slots=True)
class _Added:
    owner: Pid
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class _State:
    reserved: frozenset[str]
    added: dict[Ref, _Added]

    def all(self) -> list[Command]:
        return [command for added in self.added.values() for command in added.commands]


class CommandTable(GenServer):
    """Call ``"all"`` -> list of commands; an `Announcer` sends ``("announce", owner, commands)``.

    A command whose name is taken, by the console or by another owner, is left out.
    """

    def init(self, reserved: frozenset[str]) -> Any:
        """Start empty; `reserved` are the names of the console's own commands."""
        return "ok", _State(reserved, {})

    def handle_call(self, request: Any, _from: Any, state: _State) -> Any:
        """List the commands."""
        return "reply", state.all() if request == "all" else [], state

    def handle_info(self, message: Any, state: _State) -> Any:
        """Take what an announcer announces; drop what a dead one had announced."""
        match message:
            case ("announce", Pid() as owner, tuple() as commands):
                if all(added.owner is not owner for added in state.added.values()):
                    taken = state.reserved | {command.name for command in state.all()}
                    fresh = tuple(c for c in commands if c.name not in taken)
                    added = state.added | {monitor(owner): _Added(owner, fresh)}
                    return "noreply", replace(state, added=added)
            case ("DOWN", ref, "process", _, _):
                added = {known: one for known, one in state.added.items() if known is not ref}
                return "noreply", replace(state, added=added)
        return "noreply", state


class Announcer(GenServer):
    """Owns the commands of an application; a child of that application's tree."""

    def init(self, commands: tuple[Command, ...]) -> Any:
        """Announce at once, or as soon as there is a table."""
        return "ok", commands, ("continue", "announce")

    def handle_continue(self, _: Any, commands: tuple[Command, ...]) -> Any:
        """Announce for the first time."""
        self._announce(commands)
        return "noreply", commands

    def handle_info(self, message: Any, commands: tuple[Command, ...]) -> Any:
        """The table is gone, or it is time to look for it again."""
        match message:
            case ("DOWN", _, "process", _, _) | "announce":
                self._announce(commands)
        return "noreply", commands

    def _announce(self, commands: tuple[Command, ...]) -> None:
        me = supervisors.self()
        table = whereis(TABLE)
        if table is None:
            send_after(_RETRY, me, "announce")
            return
        monitor(table)
        supervisors.send(table, ("announce", me, commands))


def announcer(*commands: Command, id: str = "commands") -> ChildSpec:
    """The child that offers `commands` on the console as long as it runs.

    A plug-in puts it into its own supervision tree; nothing else is needed.
    """
    return Announcer.child_spec(commands, id=id)


async def added_commands() -> list[Command]:
    """What applications have added; nothing while the table does not answer."""
    try:
        commands: list[Command] = await call(TABLE, "all", ANSWER_WITHIN)
    except CallExit:
        return []
    return commands
