"""A typed line as a request: ``kill core/servers/simple boom`` or ``ps --sort=restarts``.

Words are split as a POSIX shell would. The longest run of leading words that is a command
is the command (``chaos kill x`` is ``chaos.kill``). Words go to the arguments in their
order; ``--name value`` and ``--name=value`` name one. What a word becomes is said by the
argument's type.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any


class LineError(ValueError):
    """A line that is no command; the text says why and what would be."""


def split(line: str) -> list[str]:
    """The words of `line`; raises `LineError` when a quote is left open."""
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise LineError(f"cannot read the line: {error}") from None


def command_of(
    words: Sequence[str], known: Mapping[str, Mapping[str, Any]]
) -> tuple[str, list[str]]:
    """The command that `words` begin with, and the words after it.

    known: descriptions of the commands (see `Command.describe`) by name. Raises `LineError`.
    """
    for length in range(len(words), 0, -1):
        name = ".".join(words[:length])
        if name in known:
            return name, list(words[length:])
    family = sorted(name.replace(".", " ") for name in known if name.startswith(f"{words[0]}."))
    if family:
        raise LineError(f"{words[0]} needs another word: {', '.join(family)}")
    near = get_close_matches(words[0], [name.partition(".")[0] for name in known], n=1)
    hint = f"did you mean {near[0]!r}?" if near else "type help"
    raise LineError(f"there is no command {words[0]!r}; {hint}")


def parse(words: Sequence[str], command: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that `words` give to `command`; raises `LineError`."""
    args = {arg["name"]: arg for arg in command["args"]}
    given: dict[str, Any] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("--") and len(word) > 2:
            name, has_value, text = word[2:].partition("=")
            if name not in args:
                raise LineError(f"there is no option --{name}; usage: {command['usage']}")
            if not has_value and args[name]["type"] == "bool":
                text = "true"
            elif not has_value:
                if not waiting:
                    raise LineError(f"--{name} needs a value; usage: {command['usage']}")
                text = waiting.pop(0)
        else:
            free = [name for name in args if name not in given]
            if not free:
                raise LineError(f"{word!r} is one word too many; usage: {command['usage']}")
            name, text = free[0], word
        given[name] = value(text, args[name])
    for name, arg in args.items():
        if arg["required"] and name not in given:
            raise LineError(f"{name.upper()} is missing; usage: {command['usage']}")
    return given


def value(text: str, arg: Mapping[str, Any]) -> Any:
    """`text` as the type of `arg`; raises `LineError`."""
    try:
        if arg["type"] == "int":
            return int(text)
        if arg["type"] == "float":
            return float(text)
        if arg["type"] == "bool":
            return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
    except (ValueError, KeyError):
        wanted = {"int": "a whole number", "float": "a number", "bool": "yes or no"}[arg["type"]]
        raise LineError(f"{arg['name']} must be {wanted}, not {text!r}") from None
    return text
