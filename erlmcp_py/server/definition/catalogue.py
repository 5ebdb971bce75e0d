"""All that a server offers: what is defined on it, and on servers that are mounted in it.

The dictionaries that requests look into hold both. They are made anew whenever something is defined
or removed, here or further in, and never changed; whoever reads one is not disturbed, and may take
its identity for its version. Only the kind of dictionary that has changed is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from erlmcp_py.server.changes import Changes
from erlmcp_py.server.definition.checks import refuse_duplicate
from erlmcp_py.server.definition.entries import (
    CompletionDef,
    ListingDef,
    PromptDef,
    ResourceDef,
    TemplateDef,
    ToolDef,
)
from erlmcp_py.server.definition.mounting import Mount
from erlmcp_py.subscriptions import Change

if TYPE_CHECKING:
    from typing import Self

_NOUNS: Final = {
    "tools": "tool",
    "resources": "resource",
    "templates": "resource",
    "listings": "resource list",
    "prompts": "prompt",
    "completions": "completion",
}
_ANNOUNCED: Final = {
    "tools": Change("tools"),
    "resources": Change("resources"),
    "templates": Change("resources"),
    "listings": Change("resources"),
    "prompts": Change("prompts"),
}

# One lock for all: what is defined on one server may have to be entered in several.
_LOCK: Final = RLock()


class Catalogue:
    """The definitions of a server, by kind and key."""

    def __init__(self) -> None:
        self.tools: dict[str, ToolDef] = {}
        self.resources: dict[str, ResourceDef] = {}
        self.templates: dict[str, TemplateDef] = {}
        self.listings: dict[str, ListingDef] = {}
        self.prompts: dict[str, PromptDef] = {}
        self.completions: dict[tuple[str, str], CompletionDef] = {}
        self.changes = Changes()
        self._own: dict[str, dict[Any, Any]] = {kind: {} for kind in _NOUNS}
        self._inside: tuple[Mount, ...] = ()
        self._within: tuple[Mount, ...] = ()

    @property
    def is_mounted(self) -> bool:
        """Whether it is a part of another server."""
        return bool(self._within)

    def family(self) -> Iterator[Self]:
        """This server, and those that are mounted in it, each once."""
        seen: dict[int, Any] = {}
        waiting: list[Any] = [self]
        while waiting:
            member = waiting.pop(0)
            if id(member) not in seen:
                seen[id(member)] = member
                waiting.extend(mount.inner for mount in member._inside)
        yield from seen.values()

    def announce(self, change: Change) -> None:
        """Tell clients of this server, and of those it is mounted in."""
        self.changes.announce(change)
        for mount in self._within:
            uri = change.uri
            mount.outer.announce(change if uri is None else Change(change.kind, mount.uri(uri)))

    def _enter(self, kind: str, key: Any, definition: Any) -> None:
        """Add a definition. ValueError with both places if its key is taken, here or further out."""
        with _LOCK:
            self._check_free(kind, key, definition)
            self._own[kind] = {**self._own[kind], key: definition}
            self._renew(kind)
        if kind in _ANNOUNCED:
            self.announce(_ANNOUNCED[kind])

    def _take_out(self, kind: str, key: Any) -> None:
        """Remove a definition. KeyError if there is none of that key on this server itself."""
        with _LOCK:
            own = self._own[kind]
            if key not in own:
                raise KeyError(f"there is no {_NOUNS[kind]} {key!r}")
            self._own[kind] = {other: kept for other, kept in own.items() if other != key}
            self._renew(kind)
            if kind in ("prompts", "templates"):
                of_it = [at for at in self._own["completions"] if at[0] == key]
                for at in of_it:
                    self._take_out("completions", at)
        if kind in _ANNOUNCED:
            self.announce(_ANNOUNCED[kind])

    def _put_inside(self, inner: Catalogue, prefix: str, separator: str) -> None:
        mount = Mount(self, inner, prefix, separator)
        with _LOCK:
            if self in inner.family():
                raise ValueError(f"mount: {inner!r} contains {self!r} already")
            for kind in _NOUNS:
                for key, definition in getattr(inner, kind).items():
                    renamed = mount.entry(kind, definition)
                    self._check_free(kind, mount.key(kind, key), renamed)
            self._inside = (*self._inside, mount)
            inner._within = (*inner._within, mount)
            for kind in _NOUNS:
                if getattr(inner, kind):
                    self._renew(kind)
        changed = [change for kind, change in _ANNOUNCED.items() if getattr(inner, kind)]
        for change in dict.fromkeys(changed):
            self.announce(change)

    def _check_free(self, kind: str, key: Any, definition: Any) -> None:
        what = f"completion of {key[1]!r} in {key[0]!r}" if kind == "completions" else repr(key)
        label = what if kind == "completions" else f"{_NOUNS[kind]} {what}"
        refuse_duplicate(getattr(self, kind), key, label, definition.handler.where)
        for mount in self._within:
            mount.outer._check_free(kind, mount.key(kind, key), mount.entry(kind, definition))

    def _renew(self, kind: str) -> None:
        whole = self._own[kind]
        for mount in self._inside:
            whole = {**whole, **mount.entries(kind, getattr(mount.inner, kind))}
        setattr(self, kind, whole)
        for mount in self._within:
            mount.outer._renew(kind)
