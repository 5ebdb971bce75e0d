"""The attached shell: reads lines, has the node do them, draws the answers.

At a terminal it is a prompt with history and completion (`prompt`); without one it does line after
line of its input, for scripts, and stops at the first that fails. Either way it ends when
the node goes away.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Console as Screen
from rich.live import Live
from rich.text import Text

from erlmcp_py.console import render
from erlmcp_py.console.client import Client, CommandFailed
from erlmcp_py.console.draw import clean
from erlmcp_py.console.line import LineError, command_of, parse, split

LONG_PATIENCE = 90.0
"""Seconds the shell waits for a line of a command that takes its time."""

OWN = {
    "help": ("help [COMMAND]", "the commands, or the arguments of one"),
    "quit": ("quit", "leave; the node goes on (also exit, Ctrl-D)"),
}
"""What the shell does itself: usage and meaning."""


class Quit(Exception):
    """The operator wants to leave."""


class Shell:
    """One attached operator.

    connect: opens a connection to the node, given a session. screen: where to draw.
    """

    def __init__(
        self, connect: Callable[[str], Client], screen: Screen, *, as_json: bool = False
    ) -> None:
        self._connect = connect
        self._session = f"shell {uuid.uuid4().hex[:12]}"
        self._screen = screen
        self._json = as_json
        self._client = connect(self._session)
        self._known: dict[str, Mapping[str, Any]] = {}

    @property
    def name(self) -> str:
        """The node's name."""
        return self._client.name

    @property
    def known(self) -> dict[str, Mapping[str, Any]]:
        """The node's commands, by name; the very dict that completion uses."""
        return self._known

    def learn(self) -> None:
        """Ask the node for its commands; applications may have come or gone."""
        described = self._client.request("commands")
        self._known.clear()
        self._known.update((command["name"], command) for command in described)

    def do(self, line: str) -> bool:
        """Do one line; False when it failed. Raises `Quit` and `NodeGone`."""
        try:
            words = split(line)
            if not words:
                return True
            if words[0] in ("quit", "exit"):
                raise Quit
            if words[0] == "help":
                self._help(words[1:])
                return True
            try:
                name, rest = command_of(words, self._known)
            except LineError:
                self.learn()
                name, rest = command_of(words, self._known)
            self._run(name, parse(rest, self._known[name]))
        except LineError as error:
            self._complain("bad_line", str(error))
            return False
        except CommandFailed as error:
            self._complain(error.code, error.message)
            return False
        return True

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _run(self, name: str, args: dict[str, Any]) -> None:
        try:
            if name == "top":
                self._top(args)
            elif self._known[name]["streaming"]:
                self._show(name, self._stream(name, args, lambda event: self._event(name, event)))
            else:
                self._show(name, self._client.request(name, args, patience=LONG_PATIENCE))
        except KeyboardInterrupt:
            # Closing ends the command on the node; the session keeps the last look.
            self._client.close()
            self._client = self._connect(self._session)
            if name != "top":
                self._screen.print(Text("interrupted", style="dim"))
        if name == "stop":
            self._client.wait_until_closed(LONG_PATIENCE)
            raise Quit

    def _stream(self, name: str, args: dict[str, Any], on_event: Callable[[Any], None]) -> Any:
        patience = LONG_PATIENCE + float(args.get("seconds", 0) or args.get("interval", 0))
        return self._client.request(name, args, on_event, patience)

    def _top(self, args: dict[str, Any]) -> None:
        if not self._screen.is_terminal or self._json:
            args.setdefault("frames", 1)
            self._stream("top", args, lambda frame: self._show("top", frame))
            return
        with Live(console=self._screen, screen=True, auto_refresh=False) as live:
            self._stream(
                "top", args, lambda frame: live.update(render.draw("top", frame), refresh=True)
            )

    def _event(self, name: str, event: Any) -> None:
        if self._json:
            self._show(name, event)
        else:
            drawing = render.trace_event(event) if name == "trace" else render.by_shape(event)
            self._screen.print(drawing)

    def _show(self, name: str, result: Any) -> None:
        render.show(self._screen, name, result, as_json=self._json)

    def _complain(self, code: str, text: str) -> None:
        """At a terminal below the line; from a script where failures of all commands are told."""
        if self._screen.is_terminal:
            self._screen.print(Text(clean(f"error: {text}"), style="red"))
            return
        if self._json:
            error = {"error": {"code": code, "message": text}}
            render.show(self._screen, "", error, as_json=True)
        sys.stderr.write(clean(f"erlmcp-node: {text}") + "\n")

    def _help(self, words: list[str]) -> None:
        self.learn()
        if words:
            name, _ = command_of(words, self._known)
            command = self._known[name]
            rows = [{"argument": arg["name"], "meaning": arg["help"]} for arg in command["args"]]
            self._screen.print(Text(clean(f"{command['usage']}\n{command['help']}")))
            if rows:
                self._screen.print(render.by_shape(rows))
            return
        described = [(c["usage"], c["help"]) for c in self._known.values()]
        rows = [{"command": usage, "": text} for usage, text in (*described, *OWN.values())]
        self._screen.print(render.by_shape(rows))


def run_lines(shell: Shell, lines: Iterable[str]) -> int:
    """Do `lines` one by one; returns 0, or 1 at the first that fails."""
    try:
        shell.learn()
        for line in lines:
            if not shell.do(line):
                return 1
    except Quit:
        return 0
    return 0
