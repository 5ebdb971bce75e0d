"""The operator's end of the control socket: plain blocking sockets, no event loop.

A one-shot command lives for a few milliseconds and talks to one node; it should not have
to start trio, nor the kernel, to do it.
"""

from __future__ import annotations

import math
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from erlmcp_py.console import place
from erlmcp_py.console.place import PlaceError
from erlmcp_py.console.wire import (
    MAX_REPLY,
    Error,
    Event,
    Request,
    WireError,
    decode_reply,
    encode,
)

PATIENCE = 15.0
"""Seconds a client waits for a line before it calls the node stuck."""


class NoSuchNode(Exception):
    """There is no node to talk to; one line for the operator."""


class NodeGone(Exception):
    """The connection ended before the answer; one line for the operator."""


class CommandFailed(Exception):
    """The node refused or could not do it: the `code` and `message` it gave."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Client:
    """One connection to one node, used for one command after the other.

    session: see `wire.Request`. Usable as a context manager.
    """

    def __init__(self, connection: socket.socket, name: str, session: str = "") -> None:
        self.name = name
        self.session = session
        self._connection = connection
        self._buffer = bytearray()

    @classmethod
    def connect(
        cls, name: str = place.DEFAULT_NAME, directory: Path | None = None, session: str = ""
    ) -> Client:
        """Connect to node `name`; raises `NoSuchNode`."""
        try:
            where = place.default_directory() if directory is None else directory
            path = place.socket_path(name, where)
        except PlaceError as error:
            raise NoSuchNode(str(error)) from None
        try:
            place.check_directory(where)
        except FileNotFoundError:
            raise NoSuchNode(_missing(name, where)) from None
        except PlaceError as error:
            raise NoSuchNode(str(error)) from None
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            raise NoSuchNode(_missing(name, where)) from None
        except OSError as error:
            connection.close()
            raise NoSuchNode(f"cannot reach node {name!r} at {path}: {error}") from None
        return cls(connection, name, session)

    def request(
        self,
        command: str,
        args: dict[str, Any] | None = None,
        on_event: Callable[[Any], None] | None = None,
        patience: float = PATIENCE,
    ) -> Any:
        """The result of one command; each event before it goes to `on_event`.

        patience: seconds to wait for each line. Raises `CommandFailed`, `NodeGone`.
        """
        given = {key: value for key, value in (args or {}).items() if value is not None}
        _refuse_what_json_has_no_number_for(given)
        self._connection.settimeout(patience)
        self._send(Request(command, given, self.session, _who()))
        while True:
            try:
                reply = decode_reply(self._line())
            except WireError as error:
                raise NodeGone(f"node {self.name!r} speaks another protocol: {error}") from None
            if isinstance(reply, Event):
                if on_event is not None:
                    on_event(reply.event)
            elif isinstance(reply, Error):
                raise CommandFailed(reply.error.code, reply.error.message)
            else:
                return reply.ok

    def wait_until_closed(self, patience: float | None = None) -> bool:
        """Wait for the node to close the connection.

        False if it did not within `patience` seconds (None: however long it takes).
        """
        self._connection.settimeout(patience)
        try:
            while self._connection.recv(4096):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """End the connection; a command that still runs is ended with it."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, message: Request) -> None:
        try:
            self._connection.sendall(encode(message))
        except OSError:
            # A node that refuses a client says why and closes before it has read anything:
            # its last line, if there is one, is still to be read.
            return

    def _line(self) -> bytes:
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line
            if len(self._buffer) > 2 * MAX_REPLY:
                raise NodeGone(f"node {self.name!r} sent a line without an end")
            try:
                received = self._connection.recv(65536)
            except TimeoutError:
                raise NodeGone(
                    f"node {self.name!r} does not answer; something holds up its loop"
                ) from None
            except OSError:
                raise self._gone() from None
            if not received:
                raise self._gone()
            self._buffer += received

    def _gone(self) -> NodeGone:
        return NodeGone(f"node {self.name!r} closed the connection")


def _missing(name: str, directory: Path) -> str:
    others = [other for other in place.names(directory) if other != name]
    there = f" (running there: {', '.join(others)})" if others else ""
    return f"no node named {name!r} is running; looked in {directory}{there}"


def _refuse_what_json_has_no_number_for(args: dict[str, Any]) -> None:
    """It would reach the node as null, and there mean the default."""
    for name, value in args.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise CommandFailed("bad_argument", f"{name} must be a finite number, not {value}")


def _who() -> str:
    """What the client says of itself in the audit log: its terminal, or that it has none."""
    terminal = os.ttyname(0) if sys.stdin is not None and os.isatty(0) else "no terminal"
    return f"{Path(sys.argv[0]).name} on {terminal}"
