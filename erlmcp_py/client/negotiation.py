"""Which era a server speaks, found out by asking: a pure machine (MCP 2026-07-28, versioning).

`start` says what to send first, and each outcome what to send next, until it is `Agreed` or
`Failed`. The newest revision is tried first, because a server that knows it says so, while what an
older one answers to `server/discover` can be anything: every error but those that only a modern
server makes leads to `initialize`, and so does silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from erlmcp_py.protocol.errors import (
    HEADER_MISMATCH,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
    McpError,
)
from erlmcp_py.protocol.versions import LATEST, LEGACY, MODERN, Era

Mode = Literal["auto", "modern", "legacy"]

DISCOVER_TIMEOUT: Final = 5.0
"""Seconds that a server gets to answer `server/discover` on a pipe or socket: one that knows it does so
at once, one that does not may say nothing at all."""


class Discover(msgspec.Struct, frozen=True):
    """Send `server/discover` in that revision."""

    version: str


class Initialize(msgspec.Struct, frozen=True):
    """Send `initialize` for that revision."""

    version: str


class Events(msgspec.Struct, frozen=True):
    """HTTP: try the transport of 2024-11-05, a GET that answers with an `endpoint` event. text: what to
    say if it is not that either.
    """

    text: str


class Agreed(msgspec.Struct, frozen=True):
    """The server speaks this revision."""

    era: Era
    version: str


class Failed(msgspec.Struct, frozen=True):
    """There is no agreement; text: why."""

    text: str


Step = Discover | Initialize | Events | Agreed | Failed


class Negotiation:
    """Of one connection. remembered: the era this server spoke the last time."""

    __slots__ = ("_has_events", "_is_modern", "_mode", "_silence", "_step", "_tried")

    def __init__(
        self, mode: Mode = "auto", remembered: Era | None = None, *, has_events: bool = False
    ) -> None:
        self._mode = mode
        self._has_events = has_events
        self._is_modern = remembered == "modern"
        self._silence = ""
        """That there was no answer to `server/discover`, while nothing else has been said."""
        self._tried: list[Step] = []
        legacy = mode == "legacy" or (mode == "auto" and remembered == "legacy")
        self._step: Step = Initialize(LEGACY[0]) if legacy else Discover(LATEST)

    def start(self) -> Step:
        """What to send first."""
        return self._step

    def discovered(self, supported: Sequence[str]) -> Step:
        """A DiscoverResult with these versions came."""
        version = next((one for one in MODERN if one in supported), None)
        if version is not None:
            return Agreed("modern", version)
        return self._next(self._older(supported), f"the server speaks {_listed(supported)}")

    def initialized(self, version: str) -> Step:
        """An InitializeResult with this version came."""
        if version in LEGACY:
            return Agreed("legacy", version)
        return Failed(
            f"the server answered initialize with {version!r}; known are {_listed(LEGACY)}"
        )

    def refused(self, error: McpError) -> Step:
        """An error object came."""
        data: Any = error.data if isinstance(error.data, dict) else {}
        supported = data.get("supported")
        text = f"the server refused: {error}"
        if isinstance(self._step, Initialize):
            if isinstance(supported, list) and any(one in MODERN for one in supported):
                return self._next(Discover(LATEST), text)
            if self._silence and error.code == METHOD_NOT_FOUND:  # it was slow, not old
                self._tried.append(self._step)
                self._silence, self._step = "", Discover(LATEST)
                return self._step
            if self._mode == "auto" and not self._was_tried(Discover):
                return self._next(Discover(LATEST), text)  # it is not what it was the last time
            return self._next(Events(text), text) if self._has_events else Failed(text)
        if error.code == UNSUPPORTED_VERSION and isinstance(supported, list):
            version = next((one for one in MODERN if one in supported), None)
            if version is not None and len(self._tried) < 2:
                self._tried.append(self._step)
                self._step = Discover(version)
                return self._step
            return self._next(self._older(supported), f"the server speaks {_listed(supported)}")
        if error.code in (HEADER_MISMATCH, MISSING_CAPABILITY):
            return Failed(text)
        return self._begin_session(text)

    def silent(self, text: str) -> Step:
        """No answer came in time. WHY over HTTP that says nothing of the era of a server that is known to be
        modern: a request has an answer there, so the server is frozen, or its network is.
        """
        if isinstance(self._step, Discover):
            if self._is_modern and self._has_events:
                return Failed(text)
            self._silence = text
        elif self._silence:
            text = f"{text}, nor to server/discover"
        return self.failed(text)

    def failed(self, text: str, status: int | None = None) -> Step:
        """An end of the connection, no MCP, or (HTTP) a status without a message."""
        if isinstance(self._step, Initialize):
            if self._has_events and status in (400, 404, 405):
                return self._next(Events(text), text)
            return Failed(text)
        if status is not None and (status in (401, 403, 407, 408, 429) or status >= 500):
            return Failed(text)
        return (
            self._next(Initialize(LEGACY[0]), text) if status is None else self._begin_session(text)
        )

    def _begin_session(self, text: str) -> Step:
        if self._has_events and self._was_tried(Initialize):
            return self._next(Events(text), text)
        return self._next(Initialize(LEGACY[0]), text)

    def _was_tried(self, kind: type[Step]) -> bool:
        return any(type(one) is kind for one in self._tried)

    def _older(self, supported: Sequence[str]) -> Step | None:
        version = next((one for one in LEGACY if one in supported), None)
        return None if version is None else Initialize(version)

    def _next(self, step: Step | None, text: str) -> Step:
        """Go on with `step`, if the mode allows it and it was not tried."""
        self._tried.append(self._step)
        wrong = isinstance(step, Initialize) and self._mode == "modern"
        wrong = wrong or (isinstance(step, Discover) and self._mode == "legacy")
        if step is None or wrong or any(type(step) is type(one) for one in self._tried):
            return Failed(text)
        self._step = step
        return step


def _listed(versions: Sequence[str]) -> str:
    return ", ".join(map(str, versions)) or "no version at all"
