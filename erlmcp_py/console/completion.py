"""Completion for the shell: commands, and behind them whatever a TARGET can be.

What can be completed is asked of the node over a connection of its own, so that it works
while a command runs, at most once every two seconds, and never for longer than the typist
would wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from erlmcp_py.console.client import Client, CommandFailed, NodeGone, NoSuchNode

FRESH = 2.0
"""Seconds the names and pids of a node are used again without asking."""

_PATIENCE = 1.0

Targets = Mapping[str, list[str]]


class NodeTargets:
    """The targets of a node, asked for when they are old; empty when it does not answer."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._asked = -FRESH
        self._targets: Targets = {}

    def __call__(self) -> Targets:
        """What ``names`` answered, at most `FRESH` seconds ago."""
        if time.monotonic() - self._asked >= FRESH:
            try:
                with self._connect() as client:
                    self._targets = client.request("names", patience=_PATIENCE)
            except (NoSuchNode, NodeGone, CommandFailed):
                self._targets = {}
            self._asked = time.monotonic()
        return self._targets


class ShellCompleter(Completer):
    """Completes commands, options, choices and targets.

    known: descriptions of the commands by name. targets: see `NodeTargets`. own: commands
    of the shell itself.
    """

    def __init__(
        self,
        known: Mapping[str, Mapping[str, Any]],
        targets: Callable[[], Targets],
        own: tuple[str, ...] = (),
    ) -> None:
        self._own = own
        self._known = known
        self._targets = targets

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterator[Completion]:
        """What the word before the cursor can become."""
        text = document.text_before_cursor
        words = text.split()
        word = "" if not words or text[-1:].isspace() else words.pop()
        for candidate, meta in self.candidates(words, word):
            if candidate.startswith(word):
                yield Completion(candidate, start_position=-len(word), display_meta=meta)

    def candidates(self, words: list[str], word: str) -> Iterator[tuple[str, str]]:
        """Candidates for the word after `words`, with a remark each."""
        if words[:1] == ["help"]:
            words = words[1:]
        elif not words:
            yield from ((own, "") for own in self._own)
        found = self._command(words)
        if found is None:
            yield from self._command_words(words)
            return
        command, rest = found
        args = command["args"]
        if word.startswith("-"):
            for arg in args:
                yield f"--{arg['name']}", arg["help"]
            return
        named = rest[-1][2:] if rest and rest[-1].startswith("--") and "=" not in rest[-1] else None
        position = sum(not given.startswith("--") for given in rest)
        wanted = next((arg for arg in args if arg["name"] == named), None) or (
            args[position] if position < len(args) else None
        )
        if wanted is not None:
            yield from ((choice, "") for choice in wanted["choices"])
            if wanted["target"]:
                yield from self._target_words()

    def _command(self, words: list[str]) -> tuple[Mapping[str, Any], list[str]] | None:
        for length in range(len(words), 0, -1):
            name = ".".join(words[:length])
            if name in self._known:
                return self._known[name], words[length:]
        return None

    def _command_words(self, words: list[str]) -> Iterable[tuple[str, str]]:
        lead = "".join(f"{word}." for word in words)
        seen: dict[str, str] = {}
        for name, command in self._known.items():
            if name.startswith(lead):
                seen.setdefault(name[len(lead) :].partition(".")[0], command["help"])
        return seen.items()

    def _target_words(self) -> Iterator[tuple[str, str]]:
        targets = self._targets()
        for kind, remark in (("names", "name"), ("paths", "path"), ("pids", "pid")):
            for target in targets.get(kind, []):
                yield (f'"{target}"' if " " in target else target), remark
