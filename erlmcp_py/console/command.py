"""What a console command is: its name, its arguments, and the coroutine that does it.

The arguments are data, so that one description serves four readers: the node
checks a request against it, the shell parses a typed line with it, completion
knows which argument is a process, and ``help`` prints it. A package that plugs in
a command (`chaos` does) gets all four for nothing.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from erlmcp_py.console.peer import Peer

if TYPE_CHECKING:
    from erlmcp_py.console.service import Console

ArgType = Literal["str", "int", "float", "bool"]


class CommandError(Exception):
    """A command that cannot be done; goes to the client as ``{"error": {code, message}}``.

    Codes in use: ``unknown_command``, ``bad_argument``, ``unknown_target``,
    ``ambiguous_target``, ``not_a_server``, ``timeout``, ``output_too_large``, ``too_many``,
    ``crashed``, ``bad_request``, ``forbidden``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument of a command.

    type: what JSON value it takes (an int is accepted for a float).
    required: typed by position in the shell; others also as ``--name value``.
    default: the value when it is left out.
    choices: the only values allowed, if not empty. minimum, maximum: of a number.
    target: names a process, so the shell completes pids, names and paths.
    """

    name: str
    help: str
    type: ArgType = "str"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    target: bool = False

    def describe(self) -> dict[str, Any]:
        """The argument as a JSON object, for the shell."""
        return {
            "name": self.name,
            "help": self.help,
            "type": self.type,
            "required": self.required,
            "default": self.default,
            "choices": list(self.choices),
            "target": self.target,
        }

    def check(self, value: Any) -> Any:
        """`value` as the handler gets it; raises `CommandError` ``bad_argument``."""
        if self.type == "float" and type(value) is int:
            value = float(value)
        wanted = {"str": str, "int": int, "float": float, "bool": bool}[self.type]
        if type(value) is not wanted:
            raise CommandError(
                "bad_argument", f"{self.name} must be of type {self.type}, not {value!r}"
            )
        if self.choices and value not in self.choices:
            raise CommandError(
                "bad_argument",
                f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}",
            )
        if isinstance(value, int | float):
            self._check_bounds(value)
        return value

    def _check_bounds(self, value: float) -> None:
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= value <= high:
            raise CommandError(
                "bad_argument", f"{self.name} must be between {low:g} and {high:g}, not {value!r}"
            )


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler is given besides its arguments.

    console: the console service of the node. peer: who asks. session: the caller's
    memory key (see `Looks`). emit: sends one event line; waits while the client is
    slow, so a streaming handler never runs ahead of its reader. afterwards: has a function
    called once the final line is on its way. A handler runs in the process of its
    connection, so it may `receive`.
    """

    console: Console
    peer: Peer
    session: str
    emit: Callable[[Any], Awaitable[None]]
    afterwards: Callable[[Callable[[], object]], None]


Handler = Callable[[Context, dict[str, Any]], Awaitable[Any]]
"""Takes the context and checked arguments, returns the JSON-able result of the command."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the console.

    name: words joined by dots (``chaos.kill`` is typed ``chaos kill``).
    readonly: False writes an audit line for every use.
    deadline: seconds it may take, streaming included. streaming: emits events.
    """

    name: str
    help: str
    handler: Handler
    args: tuple[Arg, ...] = ()
    readonly: bool = True
    deadline: float = 10.0
    streaming: bool = False
    usage: str = field(init=False)

    def __post_init__(self) -> None:
        words = [self.name.replace(".", " ")]
        words += [
            arg.name.upper() if arg.required else f"[{arg.name.upper()}]" for arg in self.args
        ]
        object.__setattr__(self, "usage", " ".join(words))

    def describe(self) -> dict[str, Any]:
        """The command as a JSON object, for the shell."""
        return {
            "name": self.name,
            "help": self.help,
            "usage": self.usage,
            "readonly": self.readonly,
            "streaming": self.streaming,
            "args": [arg.describe() for arg in self.args],
        }

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every argument, checked, defaults filled in; raises `CommandError` ``bad_argument``."""
        known = {arg.name: arg for arg in self.args}
        for name in given:
            if name not in known:
                raise CommandError(
                    "bad_argument",
                    f"{self.name} takes no {name!r}{nearest(name, known)}; usage: {self.usage}",
                )
        checked = {}
        for name, arg in known.items():
            value = given.get(name)
            if value is None:
                if arg.required:
                    raise CommandError(
                        "bad_argument", f"{self.name} needs {name.upper()}; usage: {self.usage}"
                    )
                checked[name] = arg.default
            else:
                checked[name] = arg.check(value)
        return checked


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean X?"` for the known word closest to `word`, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
