"""What a handler can say to its caller while it works.

A handler that wants it declares a parameter of type `Context`; it is no argument of the call and
does not appear in the schema. All methods are plain functions and may be called from plain, `async`
and thread handlers alike: on another thread they hop to the trio thread and wait for the hop, so
notifications leave in the order in which they were made.

After the call has ended nothing more is sent (MCP: progress notifications MUST stop). A thread that
was given up, because its call timed out or was cancelled, learns of it here: its next notification
raises `CallEnded`, which ends the useless work.
"""

from __future__ import annotations

import math
from typing import Any, Final, get_args

import trio

from erlmcp_py.protocol.jsonrpc import Notification, RequestId, notification
from erlmcp_py.protocol.lifecycle import ClientCapabilities, Implementation, LogLevel
from erlmcp_py.protocol.notifications import (
    MESSAGE,
    PROGRESS,
    LoggingMessageParams,
    ProgressParams,
    ProgressToken,
)
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.server.errors import CallEnded
from erlmcp_py.server.scope import Scope

_SEVERITY: Final = {level: rank for rank, level in enumerate(get_args(LogLevel))}
_LEGACY_DEFAULT_LEVEL: Final = "info"


class Context:
    """The circumstances of one call, and its way back to the client."""

    __slots__ = ("_open", "_progress", "_request_id", "_scope", "_server_name", "_token")

    def __init__(
        self, scope: Scope, request_id: RequestId, token: ProgressToken | None, server_name: str
    ) -> None:
        self._scope = scope
        self._request_id = request_id
        self._token = token
        self._server_name = server_name
        self._progress = -math.inf
        self._open = True

    @property
    def request_id(self) -> RequestId:
        """The id the client gave to this request; unique only together with its connection."""
        return self._request_id

    @property
    def protocol_version(self) -> str:
        """The MCP revision this call follows, for example "2026-07-28"."""
        return self._scope.version

    @property
    def client_info(self) -> Implementation | None:
        """Name and version of the client program, if it told them."""
        return self._scope.client_info

    @property
    def client_capabilities(self) -> ClientCapabilities | None:
        """What the client declared it can be asked for."""
        return self._scope.client_capabilities

    @property
    def principal(self) -> str | None:
        """The authenticated caller, None where the transport does not authenticate."""
        return self._scope.principal

    def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell the client how far the call is; nothing is sent unless it asked for progress.

        `progress` is in any unit and must be greater with each report (MCP, progress); `total` is
        the value at the end, if known. ValueError if `progress` does not grow or is not finite.
        """
        if not math.isfinite(progress) or (total is not None and not math.isfinite(total)):
            raise ValueError(f"progress {progress!r} of {total!r}: both must be finite numbers")
        if progress <= self._progress:
            raise ValueError(
                f"progress must grow with each report: {progress!r} after {self._progress!r}"
            )
        self._progress = progress
        if self._token is not None:
            params = ProgressParams(
                progress_token=self._token, progress=progress, total=total, message=message
            )
            self._send(notification(PROGRESS, fit(params, self._scope.version)))

    def log(self, level: LogLevel, data: Any, logger: str | None = None) -> None:
        """Send a log message to the client, if it wants this level.

        `data` is any JSON value; `logger` is named after the server unless given. The wanted level
        is the session's (legacy; "info" until the client sets one) or the request's own (modern;
        none means no log messages at all). ValueError on an unknown level.
        """
        rank = _SEVERITY.get(level)
        if rank is None:
            raise ValueError(f"unknown log level {level!r}; use one of {', '.join(_SEVERITY)}")
        wanted = self._scope.log_level
        if wanted is None:
            if self._scope.era == "modern":
                return
            wanted = _LEGACY_DEFAULT_LEVEL
        if rank >= _SEVERITY[wanted]:
            params = LoggingMessageParams(
                level=level, data=data, logger=logger or self._server_name
            )
            self._send(notification(MESSAGE, params))

    def close(self) -> None:
        """The call has ended; from now on nothing is sent."""
        self._open = False

    def _send(self, message: Notification) -> None:
        if trio.lowlevel.in_trio_run():
            self._deliver(message)
        else:
            trio.from_thread.run_sync(self._deliver, message)
            if not self._open:
                raise CallEnded(f"the call {self._request_id!r} has ended; nobody waits for it")

    def _deliver(self, message: Notification) -> None:
        if self._open:
            self._scope.notify(message)
