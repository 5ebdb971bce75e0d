"""What a handler's docstring says about the handler and its parameters.

A tool's description is what a model reads to decide whether to call it, and Python people already
write that text as a docstring. Three layouts are in wide use (Google, NumPy, Sphinx), so all three
are understood, and a docstring in none of them is simply the description.

Only the description and the parameter texts are taken. Types come from the hints, never from the
docstring: two sources for one fact would sooner or later disagree.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_GOOGLE_PARAMETERS = frozenset({"args", "arguments", "parameters", "params"})
_OTHER_SECTIONS = frozenset({"returns", "return", "raises", "yields", "yield"})
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)")
_NUMPY_ENTRY = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$")
_SPHINX_FIELD = re.compile(r":(\w+)\s*([^:]*):\s*(.*)")
_SPHINX_PARAMETERS = frozenset({"param", "parameter", "arg", "argument"})


@dataclass(frozen=True, slots=True)
class Docstring:
    """The parts of a docstring that MCP shows to a client."""

    description: str = ""
    """Everything before the first section about parameters, results or errors."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Parameter name -> its text, on one line."""


def parse_docstring(text: str | None) -> Docstring:
    """Read a docstring as `__doc__` holds it; None and "" give an empty `Docstring`."""
    if not text:
        return Docstring()
    lines = inspect.cleandoc(text).splitlines()
    parameters: dict[str, str] = {}
    body_end = len(lines)
    at = 0
    while at < len(lines):
        section = _section(lines, at)
        if section is None:
            at += 1
            continue
        body_end = min(body_end, at)
        name, start, style = section
        if style == "sphinx":
            at = _read_sphinx(lines, at, parameters)
        elif name in _GOOGLE_PARAMETERS:
            read = _read_google if style == "google" else _read_numpy
            at = read(lines, start, parameters)
        else:
            at = start
    return Docstring("\n".join(lines[:body_end]).strip(), parameters)


def _section(lines: list[str], at: int) -> tuple[str, int, str] | None:
    """(name, first line of its body, style) if a section begins at line `at`."""
    line = lines[at].rstrip()
    name = line.rstrip(":").lower()
    known = name in _GOOGLE_PARAMETERS or name in _OTHER_SECTIONS
    if known and line.endswith(":"):
        return name, at + 1, "google"
    if known and at + 1 < len(lines) and re.fullmatch(r"-{3,}\s*", lines[at + 1]):
        return name, at + 2, "numpy"
    matched = _SPHINX_FIELD.match(line)
    if matched and matched[1] in _SPHINX_PARAMETERS | _OTHER_SECTIONS | {"type", "rtype"}:
        return matched[1], at, "sphinx"
    return None


def _read_google(lines: list[str], at: int, parameters: dict[str, str]) -> int:
    entry_indent: int | None = None
    name: str | None = None
    while at < len(lines):
        line = lines[at]
        indent = _indent(line)
        if line.strip():
            if indent == 0:
                break
            if entry_indent is None:
                entry_indent = indent
            matched = _GOOGLE_ENTRY.match(line.strip())
            if indent <= entry_indent and matched:
                name = matched[1]
                parameters[name] = matched[2].strip()
            elif name is not None:
                _append(parameters, name, line)
        at += 1
    return at


def _read_numpy(lines: list[str], at: int, parameters: dict[str, str]) -> int:
    names: list[str] = []
    while at < len(lines):
        line = lines[at]
        if line.strip():
            if _indent(line) == 0:
                matched = _NUMPY_ENTRY.match(line.strip())
                if matched is None or _section(lines, at) is not None or _underlined(lines, at):
                    break
                names = [name.strip() for name in matched[1].split(",")]
                for name in names:
                    parameters[name] = ""
            else:
                for name in names:
                    _append(parameters, name, line)
        at += 1
    return at


def _read_sphinx(lines: list[str], at: int, parameters: dict[str, str]) -> int:
    matched = _SPHINX_FIELD.match(lines[at])
    assert matched is not None, "the caller has matched this line"
    words = matched[2].split()
    name = words[-1] if words and matched[1] in _SPHINX_PARAMETERS else None
    if name is not None:
        parameters[name] = matched[3].strip()
    at += 1
    while at < len(lines) and lines[at].strip() and _indent(lines[at]) > 0:
        if name is not None:
            _append(parameters, name, lines[at])
        at += 1
    return at


def _append(parameters: dict[str, str], name: str, line: str) -> None:
    parameters[name] = f"{parameters[name]} {line.strip()}".strip()


def _underlined(lines: list[str], at: int) -> bool:
    return at + 1 < len(lines) and re.fullmatch(r"-{3,}\s*", lines[at + 1]) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
