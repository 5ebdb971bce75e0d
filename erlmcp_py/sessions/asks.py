"""Requests of ours at a client that have no response yet.

In the revisions with sessions a server may ask its client: for a completion of its model, for a
form filled in, for its roots. Whoever owns the way back (a session process; the process of standard
input and output) keeps an `Asks`: it numbers the requests, takes each response to the one who asked,
and forgets those whose handler is gone, telling the client so (MCP 2025-11-25, cancellation).

Pure: what is to be sent is handed back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from erlmcp_py.protocol.jsonrpc import (
    ErrorObject,
    ErrorResponse,
    Message,
    Notification,
    Request,
    RequestId,
    Response,
    notification,
)
from erlmcp_py.protocol.notifications import CANCELLED, CancelledParams
from supervisors import Pid

LIMIT: Final = 1000
"""Requests that may wait at one client."""

Send = Callable[[Message], bool]
"""Puts a message on the stream of the call it belongs to; False if nobody reads there any more."""


class Ask(msgspec.Struct, frozen=True):
    """The request to an owner of `Asks`: ask the client this, on that stream.

    The reply is ``("result", Raw)``, ``("error", ErrorObject)`` or ``("failed", text)``.
    asker: the process that wants to know. ticket: anything that is equal to nothing else, by which
    it may withdraw the request. send: None if it belongs to no call: on any stream that there is.
    """

    asker: Pid
    ticket: Any
    method: str
    params: Raw | None
    send: Send | None


class Withdraw(msgspec.Struct, frozen=True):
    """The cast to an owner of `Asks`: no answer is wanted any more."""

    ticket: Any
    reason: str


class _Waiting(msgspec.Struct, frozen=True):
    ticket: Any
    asker: Pid
    from_: Any
    send: Send


def _nowhere(_message: Message) -> bool:
    return False


class Asks:
    """The table. `from_` stands for where a reply goes."""

    __slots__ = ("_serial", "_waiting")

    def __init__(self) -> None:
        self._serial = 0
        self._waiting: dict[RequestId, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, ask: Ask, from_: Any, send: Send = _nowhere) -> tuple[str, Any] | None:
        """Send the request. send: for one that belongs to no call. None if a response is now due;
        otherwise the reply at once.
        """
        if ask.send is not None:
            send = ask.send
        if len(self._waiting) >= LIMIT:
            return ("failed", f"{LIMIT} requests wait at this client already")
        self._serial += 1
        id = f"ask-{self._serial}"
        if not send(Request(id, ask.method, ask.params)):
            return ("failed", "the client does not listen any more")
        self._waiting[id] = _Waiting(ask.ticket, ask.asker, from_, send)
        return None

    def answered(self, message: Response | ErrorResponse) -> tuple[Any, tuple[str, Any]] | None:
        """(from_, reply) for a response; None if nobody asked, or asks no more."""
        waiting = None if message.id is None else self._waiting.pop(message.id, None)
        if waiting is None:
            return None
        if isinstance(message, ErrorResponse):
            error: ErrorObject = message.error
            return waiting.from_, ("error", error)
        return waiting.from_, ("result", message.result)

    def withdraw(self, ticket: Any, reason: str) -> None:
        """The asker waits no longer: tell the client not to bother."""
        self._drop([id for id, entry in self._waiting.items() if entry.ticket == ticket], reason)

    def forget(self, asker: Pid, reason: str) -> None:
        """The process that asked has gone: tell the client not to bother."""
        self._drop([id for id, entry in self._waiting.items() if entry.asker == asker], reason)

    def _drop(self, ids: list[RequestId], reason: str) -> None:
        for id in ids:
            self._waiting.pop(id).send(_cancelled(id, reason))

    def has(self, asker: Pid) -> bool:
        """Whether the process waits for a response."""
        return any(entry.asker == asker for entry in self._waiting.values())

    def close(self, reason: str) -> list[tuple[Any, tuple[str, Any]]]:
        """Forget all: (from_, reply) for each, to be told that no response will come."""
        waiting, self._waiting = self._waiting, {}
        return [(entry.from_, ("failed", reason)) for entry in waiting.values()]


def _cancelled(id: RequestId, reason: str) -> Notification:
    return notification(CANCELLED, CancelledParams(request_id=id, reason=reason))
