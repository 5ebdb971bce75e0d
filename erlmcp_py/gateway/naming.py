"""What of an upstream is shown, and what it is called for clients: patterns, new names, the prefix. Pure.

Patterns and `rename` speak of the upstream's own names. `deny` has the last word over `allow`. Tools and
prompts can be renamed; patterns are for tools. What is not shown does not exist for clients, in lists and
calls alike; what results say of it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import translate
from typing import Literal

from erlmcp_py.config import UpstreamConfig

NamedKind = Literal["tools", "prompts"]
KEYS = ("allow", "deny", "rename", "prefix")
"""Those of the configuration that are meant here."""


class Names:
    """Of the upstream `name`."""

    def __init__(self, name: str, config: UpstreamConfig) -> None:
        self.prefix = name if config.prefix is None else config.prefix
        self._allow = _compiled(config.allow)
        self._deny = _compiled(config.deny)
        self._new = dict(config.rename)

    def is_strict(self, kind: NamedKind) -> bool:
        """Whether a name that is on no list means nothing; otherwise the upstream itself is asked."""
        return bool(self._new) or (kind == "tools" and bool(self._allow or self._deny))

    def shows(self, kind: NamedKind, own: str) -> bool:
        """Whether there is such a thing for clients."""
        if kind != "tools":
            return True
        allowed = not self._allow or any(one.match(own) for _, one in self._allow)
        return allowed and not any(one.match(own) for _, one in self._deny)

    def called(self, kind: NamedKind, offered: Collection[str]) -> dict[str, str]:
        """For all that is offered and shown: what clients call it, by its own name.

        A new name that something else has already is not given: the thing keeps its own (see `problems`).
        """
        called = {own: self._new.get(own, own) for own in offered if self.shows(kind, own)}
        while True:
            taken = {own for own, name in called.items() if own == name}
            kept = [own for own, name in called.items() if own != name and name in taken]
            if not kept:
                return called
            called.update((own, own) for own in kept)  # which may take a name from the next one

    def prefixed(self, name: str) -> str:
        """What it is called where all upstreams are together."""
        return f"{self.prefix}_{name}" if self.prefix else name

    def unprefixed(self, name: str) -> str | None:
        """The name without the prefix; None if it has none."""
        lead = self.prefixed("")
        return name.removeprefix(lead) if name.startswith(lead) else None

    def guessed(self, kind: NamedKind, name: str) -> str | None:
        """What it would be called at the upstream, of which no list is known yet; None: nothing is."""
        own = next((old for old, new in self._new.items() if new == name), name)
        if own == name and name in self._new:
            return None
        return own if self.shows(kind, own) else None

    def problems(self, tools: Collection[str], prompts: Collection[str]) -> Iterator[str]:
        """What of the configuration has no effect with what is offered."""
        for key, patterns in (("allow", self._allow), ("deny", self._deny)):
            for pattern, one in patterns:
                if not any(one.match(own) for own in tools):
                    yield f"{key}: {pattern!r} matches none of its tools"
        for old in self._new:
            if old not in tools and old not in prompts:
                yield f"rename: it has no tool or prompt {old!r}"
        lists: tuple[tuple[NamedKind, Collection[str]], ...] = (
            ("tools", tools),
            ("prompts", prompts),
        )
        for kind, offered in lists:
            called = self.called(kind, offered)
            for old, new in self._new.items():
                if called.get(old, new) != new:
                    yield (
                        f"rename: {old!r} cannot be called {new!r}, as another of its {kind} is; "
                        f"it stays {old!r}"
                    )


def _compiled(patterns: Iterable[str]) -> list[tuple[str, re.Pattern[str]]]:
    return [(pattern, re.compile(translate(pattern))) for pattern in patterns]
