"""What a port is to run, and whether that can be run at all.

WHY a check before the start: what the system says of a command that cannot be run ("No such file or
directory") does not tell whether the program, its directory or its interpreter is missing, and people
write commands into configuration files by hand.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec


class PortError(Exception):
    """The command cannot be started; one line that says what is wrong and what would be right.

    text: what anybody may be told. detail: what only those may be told who run the node, such as the
    directories that were searched; empty if there is nothing more to say.
    """

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(f"{text}: {detail}" if detail else text)
        self.text = text
        self.detail = detail


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A program and its surroundings.

    argv: the program and its arguments. A program without "/" is looked for in the PATH it will
    have; one with "/" is taken relative to `cwd`. env: variables over the node's own, or all there
    are if `inherit_env` is false. cwd: where it runs, None: where the node does. descriptors: which
    of the node's descriptors it gets besides its three streams, under their own numbers.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    inherit_env: bool = True
    cwd: str | None = None
    descriptors: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Command({' '.join(self.argv[:1])} …)"  # arguments and variables may be secrets

    def environment(self) -> dict[str, str]:
        """Every variable the program will have."""
        return {**(os.environ if self.inherit_env else {}), **self.env}

    def find(self) -> str:
        """The file to execute. Raises `PortError`."""
        self._check_texts()
        if self.cwd is not None and not Path(self.cwd).is_dir():
            text = f"the program {self.argv[0]!r} cannot be run on the node"
            raise PortError(text, f"there is no directory {self.cwd} to run it in")
        program = self.argv[0]
        if "/" not in program:
            return self._search(program)
        file = Path(self.cwd or "", program)
        if not file.exists():
            raise PortError(_not_found(program), f"no such file{_seen_from(self.cwd, program)}")
        if file.is_dir():
            raise PortError(f"{program}: is a directory, not a program")
        if not os.access(file, os.X_OK):
            raise PortError(f"{program}: is not executable; chmod +x it, or name its interpreter")
        return str(file.absolute())

    def _search(self, program: str) -> str:
        path = self.environment().get("PATH", os.defpath)
        found = shutil.which(program, path=path)
        if found is None:
            searched = f"PATH is {path}" if path else "PATH is empty"
            raise PortError(
                _not_found(program), f"{searched}; install it there, or write its full path"
            )
        return os.path.abspath(found)  # noqa: PTH100 - without following links, as exec would

    def _texts(self) -> Iterator[tuple[str, str]]:
        """What the system is told, each with words for it: what it says may be a secret."""
        yield "its name", self.argv[0]
        yield from ((f"argument {number}", text) for number, text in enumerate(self.argv[1:], 1))
        for name, value in self.env.items():
            yield f"the name of the variable {name!r}", name
            yield f"the variable {name!r}", value
        yield "its directory", self.cwd or ""

    def _check_texts(self) -> None:
        if not self.argv or not self.argv[0]:
            raise PortError("a command needs a program: its first element is empty or missing")
        for what, text in self._texts():
            program = repr(self.argv[0])
            if "\0" in text:
                raise PortError(f"the program {program}: {what} holds a NUL character")
            try:
                os.fsencode(text)
            except UnicodeEncodeError:  # half a surrogate pair, which JSON can say
                text = f"the program {program}: {what} cannot be written as bytes"
                raise PortError(text) from None
        for name in self.env:
            if not name or "=" in name:
                raise PortError(f"{self.argv[0]}: {name!r} is no name of an environment variable")


def _not_found(program: str) -> str:
    return f"the program {program!r} was not found on the node"


def _seen_from(cwd: str | None, program: str) -> str:
    return "" if cwd is None or program.startswith("/") else f" in {cwd}"
