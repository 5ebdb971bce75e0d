"""The variables in a file of a desktop client, and the files of variables that it names.

``${VAR}`` and ``${VAR:-TEXT}`` are those of Claude Code and Copilot, ``${VAR}`` of Gemini CLI, ``${env:VAR}``
of VS Code, Cursor, Windsurf and Roo Code; ``${userHome}``, ``${workspaceFolder}``,
``${workspaceFolderBasename}``, ``${pathSeparator}`` and ``${/}`` of VS Code and Cursor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_VARIABLE: Final = re.compile(r"\$\{(?:env:)?([A-Za-z_]\w*|/)(?::-([^}]*))?\}")
_ASKED: Final = re.compile(r"\$\{[A-Za-z]+:(?!-)[^}]*\}")
"""What some clients ask a person for, or take from their editor: nobody here can say it."""
_EDITORS: Final = frozenset({".vscode", ".cursor", ".roo"})
"""Directories of a workspace for the settings of its editor."""
_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")


class Unknown(Exception):
    """Something that cannot be filled in; the message says what, and what would be right."""


class Variables:
    """Of one file. environ: of the node."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known = {"/": "/", "pathSeparator": "/"}
        if "HOME" in environ:
            self._known["userHome"] = environ["HOME"]
        place = Path(file).absolute().parent
        if place.name in _EDITORS:
            self._known["workspaceFolder"] = str(place.parent)
            self._known["workspaceFolderBasename"] = place.parent.name

    def fill(self, text: str) -> str:
        """With the values of variables. Raises `Unknown`."""
        unknown = _ASKED.search(_VARIABLE.sub("", text))
        if unknown is not None:
            raise Unknown(
                f"nobody here can say what {unknown[0]} is; write the value, or ${{VAR}} for a variable "
                "of the node's environment"
            )
        return _VARIABLE.sub(self._value, text)

    def _value(self, found: re.Match[str]) -> str:
        name: str = found[1]
        default: str | None = found[2]
        if name in self._known:
            return self._known[name]
        value = self._environ.get(name, default)
        if value is not None:
            return value
        if name.startswith("workspaceFolder"):
            known = ", ".join(sorted(_EDITORS))
            raise Unknown(f"{found[0]} is only known to a file in one of {known}; write the path")
        raise Unknown(f"the environment has no {name}; set it, or write ${{{name}:-TEXT}}")


def read_env_file(file: str) -> dict[str, str]:
    """``NAME=VALUE`` lines, also behind ``export``; values may be quoted; ``#`` begins a comment line.
    Raises `Unknown`.
    """
    if not file.startswith("/"):
        raise Unknown("it is relative to nobody knows what; write its full path")
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unknown(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        pair = _LINE.fullmatch(line)
        if pair is None:
            raise Unknown(f"line {number} is no NAME=VALUE")
        found[pair[1]] = _unquoted(pair[2])
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
