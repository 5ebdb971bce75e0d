"""The lines that travel over the control socket.

One JSON value per line, both ways. A client sends a request and reads until the
final line that answers it; a command that streams sends event lines before it::

    -> {"command": "info", "args": {"target": "registry"}}
    <- {"ok": {...}}

    -> {"command": "trace", "args": {"target": "registry"}}
    <- {"event": {...}}
    <- {"event": {...}}
    <- {"ok": {...}}

    -> {"command": "inof"}
    <- {"error": {"code": "unknown_command", "message": "..."}}

A connection runs one command at a time, in the order they come, so answers need no
number, and a client that has heard enough closes the connection. Newline JSON and nothing cleverer, because an operator with ``socat`` and a broken client
must still be able to ask a sick node what ails it.
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_REQUEST = 64 * 1024
"""Bytes of one request line; a longer one ends the connection."""

MAX_REPLY = 4 * 1024 * 1024
"""Bytes of one answer or event line; a command that says more gets ``output_too_large``."""


class Request(msgspec.Struct, frozen=True):
    """Run `command` with `args`.

    `session` names the caller for what the node remembers between two commands
    (``ps`` counts messages since the last look); one attached shell keeps one
    session. `who` is what the client says about itself and goes to the audit log
    beside what the operating system says, never instead of it.
    """

    command: str
    args: dict[str, Any] = {}
    session: str = ""
    who: str = ""


class Failure(msgspec.Struct, frozen=True):
    """Why a command gave no result: a stable `code` and a line for a person."""

    code: str
    message: str


class Ok(msgspec.Struct, frozen=True):
    """The final line of a command that succeeded."""

    ok: Any


class Error(msgspec.Struct, frozen=True):
    """The final line of a command that failed."""

    error: Failure


class Event(msgspec.Struct, frozen=True):
    """One line of a streaming command, before its final line."""

    event: Any


class WireError(ValueError):
    """A line that is no message of this protocol; the text says what is wrong with it."""


class _RequestLine(msgspec.Struct, forbid_unknown_fields=True):
    command: str | None = None
    args: dict[str, Any] = {}
    session: str = ""
    who: str = ""


class _ReplyLine(msgspec.Struct):
    ok: Any = msgspec.UNSET
    event: Any = msgspec.UNSET
    error: Failure | msgspec.UnsetType = msgspec.UNSET


_request_decoder = msgspec.json.Decoder(_RequestLine)
_reply_decoder = msgspec.json.Decoder(_ReplyLine)
_encoder = msgspec.json.Encoder()


def encode(message: Request | Ok | Error | Event) -> bytes:
    """The line for `message`, newline included.

    Raises `TypeError` or `ValueError` when a result holds something JSON has no form for.
    """
    return _encoder.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Read one line from a client; raises `WireError`."""
    try:
        read = _request_decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise WireError(f"not a console request: {error}") from None
    if not read.command:
        raise WireError('not a console request: "command" is missing')
    return Request(read.command, read.args, read.session, read.who)


def decode_reply(line: bytes) -> Ok | Error | Event:
    """Read one line from a node; raises `WireError`."""
    try:
        read = _reply_decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise WireError(f"not a console answer: {error}") from None
    if not isinstance(read.error, msgspec.UnsetType):
        return Error(read.error)
    if read.event is not msgspec.UNSET:
        return Event(read.event)
    if read.ok is not msgspec.UNSET:
        return Ok(read.ok)
    raise WireError('not a console answer: none of "ok", "event", "error" is there')
