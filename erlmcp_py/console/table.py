"""The commands that running applications add to the console.

The table is a process, registered as ``commands``. Who adds a command owns it: when the
owner dies, its commands leave with it, so the console never offers what nobody would
answer. An application puts an `announcer` into its own tree; that process owns the
application's commands and announces them again whenever the table was restarted, so the
two may start, crash and come back in any order.

The console's own commands are not in here: they must work when this process does not.

Commands can be announced by where they are. They are imported when somebody asks what there is, so
that a node nobody looks into does not carry what only an operator needs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import supervisors
from erlmcp_py.console.command import Command
from erlmcp_py.telemetry.log import log
from supervisors import CallExit, ChildSpec, GenServer, Pid, Ref, call, monitor, send_after, whereis

TABLE = "commands"
"""The registered name of the table."""

ANSWER_WITHIN = 1.0
"""Seconds the table gets to answer."""

_RETRY = 0.1

Offer = Command | str
"""A command, or ``MODULE:ATTRIBUTE`` of a tuple of some."""


@dataclass(frozen=True, slots=True)
class _State:
    """announced: what each owner offers, by the monitor on it."""

    reserved: Callable[[], Collection[str]]
    announced: dict[Ref, tuple[Pid, tuple[Offer, ...]]]

    def all(self) -> list[Command]:
        """Those whose names are not taken by the console or by who came earlier."""
        found: dict[str, Command] = {}
        reserved = self.reserved()
        for _, offers in self.announced.values():
            for command in _loaded(offers):
                if command.name not in reserved:
                    found.setdefault(command.name, command)
        return list(found.values())


def _loaded(offers: tuple[Offer, ...]) -> Iterator[Command]:
    for offer in offers:
        if isinstance(offer, Command):
            yield offer
            continue
        module, _, attribute = offer.partition(":")
        try:
            commands: tuple[Command, ...] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            log("error", f"the commands at {offer} cannot be imported: {error}")
        else:
            yield from commands


class CommandTable(GenServer):
    """Call ``"all"`` -> list of commands; an `Announcer` sends ``("announce", owner, offers)``.

    A command whose name is taken, by the console or by another owner, is left out.
    """

    def init(self, reserved: Callable[[], Collection[str]]) -> Any:
        """Start empty; `reserved` answers the names of the console's own commands."""
        return "ok", _State(reserved, {})

    def handle_call(self, request: Any, _from: Any, state: _State) -> Any:
        """List the commands."""
        return "reply", state.all() if request == "all" else [], state

    def handle_info(self, message: Any, state: _State) -> Any:
        """Take what an announcer announces; drop what a dead one had announced."""
        announced = state.announced
        match message:
            case ("announce", Pid() as owner, tuple() as offers):
                if all(known is not owner for known, _ in announced.values()):
                    announced = announced | {monitor(owner): (owner, offers)}
            case ("DOWN", ref, "process", _, _):
                announced = {known: one for known, one in announced.items() if known is not ref}
        return "noreply", replace(state, announced=announced)


class Announcer(GenServer):
    """Owns the commands of an application; a child of that application's tree."""

    def init(self, commands: tuple[Offer, ...]) -> Any:
        """Announce at once, or as soon as there is a table."""
        return "ok", commands, ("continue", "announce")

    def handle_continue(self, _: Any, commands: tuple[Offer, ...]) -> Any:
        """Announce for the first time."""
        self._announce(commands)
        return "noreply", commands

    def handle_info(self, message: Any, commands: tuple[Offer, ...]) -> Any:
        """The table is gone, or it is time to look for it again."""
        match message:
            case ("DOWN", _, "process", _, _) | "announce":
                self._announce(commands)
        return "noreply", commands

    def _announce(self, commands: tuple[Offer, ...]) -> None:
        me = supervisors.self()
        table = whereis(TABLE)
        if table is None:
            send_after(_RETRY, me, "announce")
            return
        monitor(table)
        supervisors.send(table, ("announce", me, commands))


def announcer(*commands: Offer, id: str = "commands") -> ChildSpec:
    """The child that offers `commands` on the console as long as it runs.

    A plug-in puts it into its own supervision tree; nothing else is needed. A text,
    ``MODULE:ATTRIBUTE``, stands for a tuple of commands that is imported when it is needed.
    """
    return Announcer.child_spec(commands, id=id)


async def added_commands() -> list[Command]:
    """What applications have added; nothing while the table does not answer."""
    try:
        commands: list[Command] = await call(TABLE, "all", ANSWER_WITHIN)
    except CallExit:
        return []
    return commands
