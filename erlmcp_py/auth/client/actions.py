"""What the logic of authorization asks of the world around it.

Each flow is a generator: it yields one of these actions and is sent what came of it. It does no I/O, has
no clock and draws no random numbers, so every order of events can be played to it from a table. Errors
are raised out of it; an action that failed is thrown into it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import msgspec

from erlmcp_py.auth.client.guarded import Guarded

T = TypeVar("T")
Flow = Generator["Action", Any, T]


class Fetch(Guarded, frozen=True):
    """Send an HTTP request and send back a `Fetched`. Redirects are not followed."""

    shown_fields = ("method", "url")
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Fetched(Guarded, frozen=True):
    """A response. headers: by name in lower case; body: no longer than the shell allows."""

    shown_fields = ("status",)
    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Listen(msgspec.Struct, frozen=True):
    """Be ready for the user's return; send back the redirect URI. preferred: the one registered."""

    preferred: str | None = None


class Visit(Guarded, frozen=True):
    """Open a page for the user, and send back the parameters with which they came back, as a list."""

    url: str


class Load(msgspec.Struct, frozen=True):
    """Send back what was saved under a key, or None."""

    key: str


class Save(Guarded, frozen=True):
    """Keep it under the key; None: forget it."""

    shown_fields = ("key",)
    key: str
    value: bytes | None


class Hold(msgspec.Struct, frozen=True):
    """Keep other processes from renewing what is kept under a key, until `Release` or the flow's end."""

    key: str


class Release(msgspec.Struct, frozen=True):
    """Let others have what is held."""


class Ask(msgspec.Struct, frozen=True):
    """Send back the assertion that stands for the user or the workload, a JWT. audience: the issuer."""

    audience: str


class Now(msgspec.Struct, frozen=True):
    """Send back the time, in seconds since 1970."""


class Draw(msgspec.Struct, frozen=True):
    """Send back random bytes."""

    size: int = 32


Action = Fetch | Listen | Visit | Load | Save | Hold | Release | Ask | Now | Draw


def fetch(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Flow[Fetched]:
    """The action, with the type of its answer."""
    answer: Fetched = yield Fetch(method, url, headers or {}, body)
    return answer


def now() -> Flow[float]:
    """The action, with the type of its answer."""
    answer: float = yield Now()
    return answer


def draw(size: int = 32) -> Flow[bytes]:
    """The action, with the type of its answer."""
    answer: bytes = yield Draw(size)
    return answer


def load(key: str) -> Flow[bytes | None]:
    """The action, with the type of its answer."""
    answer: bytes | None = yield Load(key)
    return answer
