"""The two descriptors, and everything a restarted process needs to go on with the same client.

A stdio client cannot reconnect: when the process that serves it is killed, its successor must
take up the conversation in the middle of a line, if need be. So what is half done lies here
and not in the process: bytes read but not yet handled, bytes not yet written, and the memory of the
conversation. The channel is an argument in the
child spec; every step that changes it is synchronous, so no kill can fall into the middle.

Pipes and sockets are written without blocking. Anything else (a terminal, a file, a pipe that
is standard error too) is written by a thread, because switching it to non-blocking would
switch it for everyone who shares it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from typing import Final

import trio

from erlmcp_py.transports.conversation import Memory
from erlmcp_py.transports.framing import Lines, Message

READ_SIZE: Final = 64 * 1024
_STDERR: Final = 2
_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET})
"""How the end of a client looks that has not waited for an answer; of a terminal, EIO too."""


class Channel:
    """One client on two descriptors. line_limit: bytes of one message."""

    def __init__(self, input: int = 0, output: int = 1, line_limit: int = 4 * 1024 * 1024) -> None:
        self._input = input
        self._output = output
        self._lines = Lines(line_limit)
        self._unsent = bytearray()
        self.inbox: deque[Message] = deque()
        self.ended = False
        """The client has closed its end; the inbox may still hold lines."""
        self.memory = Memory()
        self.problem: str | None = None
        """Why one of the two is of no use, for people; None if it is, or the client has gone."""
        self._gone = _GONE | {errno.EIO} if os.isatty(output) else _GONE
        self._pollable = True
        self._threaded = _needs_thread(output)
        self.bytes_in = self.bytes_out = 0

    async def read(self) -> None:
        """Wait for input and put what it holds into the inbox; at its end, set `ended`. An input that cannot
        be read has ended.
        """
        try:
            data = await self._receive()
        except OSError as problem:
            self._failed("standard input cannot be read", problem)
            data = b""
        self.bytes_in += len(data)
        if data:
            self.inbox.extend(self._lines.feed(data))
        else:
            self.inbox.extend(self._lines.finish())
            self.ended = True

    async def _receive(self) -> bytes:
        while True:
            if self._pollable:
                try:
                    await trio.lowlevel.wait_readable(self._input)
                except PermissionError:  # a file: always readable, which epoll refuses to say
                    self._pollable = False
            else:
                await trio.lowlevel.checkpoint()
            try:
                return os.read(self._input, READ_SIZE)
            except BlockingIOError:
                continue

    def write(self, line: bytes) -> None:
        """Append one message to what the next `flush` sends."""
        self._unsent += line
        self._unsent += b"\n"

    def flush_now(self) -> bool:
        """Send what the client takes at once; whether that was everything written. Raises OSError when
        the client has gone, or for `problem`.
        """
        if self._unsent and not self._threaded:
            self._sent(self._try_write())
        return not self._unsent

    async def flush(self) -> None:
        """Send everything written. Raises OSError when the client has gone, or for `problem`."""
        while not self.flush_now():
            if self._threaded:
                # Abandoned when killed: a terminal that takes nothing must not hold up a stop.
                write = trio.to_thread.run_sync(
                    self._write, bytes(self._unsent), abandon_on_cancel=True
                )
                self._sent(await write)
            else:
                await trio.lowlevel.wait_writable(self._output)

    def _sent(self, count: int) -> None:
        del self._unsent[:count]
        self.bytes_out += count

    def _try_write(self) -> int:
        os.set_blocking(self._output, False)
        try:
            with memoryview(self._unsent) as view:
                return self._write(view)
        except BlockingIOError:
            return 0
        finally:
            os.set_blocking(self._output, True)

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._output, data)
        except BlockingIOError:
            raise
        except OSError as problem:
            self._failed("standard output cannot be written", problem)
            raise

    def _failed(self, what: str, problem: OSError) -> None:
        if problem.errno not in self._gone:
            self.problem = f"{what}: {problem.strerror}"


def _needs_thread(descriptor: int) -> bool:
    about = os.fstat(descriptor)
    if not (stat.S_ISFIFO(about.st_mode) or stat.S_ISSOCK(about.st_mode)):
        return True
    try:
        errors = os.fstat(_STDERR)
    except OSError:
        return False
    return descriptor != _STDERR and os.path.samestat(about, errors)
