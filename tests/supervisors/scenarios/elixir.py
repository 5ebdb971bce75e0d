"""Scenarios recorded in Elixir: values of ours as ``inspect`` prints them, and the live run.

Atoms are `str` (`Text` for strings), `None` is nil, a list of pairs with an atom first is a
keyword list. Steps are written with `Recorder.obs`, one line of the trace each.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio.testing

import supervisors as otp

from .erlang import erlangs_own
from .terms import Text

_ATOM = re.compile(r"[a-z_][A-Za-z0-9_@]*[?!]?")
Steps = Callable[["Recorder"], Awaitable[None]]


def inspect(term: Any) -> str:
    """`term` on one line, as Elixir's ``inspect/1``."""
    match term:
        case Text():
            return '"' + term.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case str():
            return f":{term}" if _ATOM.fullmatch(term) else f':"{term}"'
        case bool():
            return "true" if term else "false"
        case None:
            return "nil"
        case int() | float():
            return repr(term)
        case tuple():
            return "{" + ", ".join(map(inspect, term)) + "}"
        case list() if term and all(_is_keyword(item) for item in term):
            return "[" + ", ".join(f"{key}: {inspect(value)}" for key, value in term) + "]"
        case list():
            return "[" + ", ".join(map(inspect, term)) + "]"
        case dict():
            return "%{" + ", ".join(f"{k}: {inspect(term[k])}" for k in sorted(term)) + "}"
        case type():
            return term.__name__
    raise TypeError(f"{term!r} has no Elixir term; scenarios use plain values")


def _is_keyword(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and type(item[0]) is str


class Recorder:
    """The lines of one run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def obs(self, what: str, term: Any) -> None:
        self.lines.append(f"obs {what} {inspect(term)}")


def play(steps: Steps) -> list[str]:
    """Our trace of the steps, under a virtual clock."""
    recorder = Recorder()
    otp.run(steps, recorder, clock=trio.testing.MockClock(autojump_threshold=0))
    return recorder.lines


def elixirs_own(program: str, name: str) -> list[str]:
    """The trace that the installed Elixir prints for the script."""
    return erlangs_own(program, name, suffix="exs")
