"""A server that is a program: messages over its standard input and output, a line each (MCP, stdio)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from erlmcp_py.client.channels.channel import Channel
from erlmcp_py.client.channels.descriptors import DescriptorChannel
from erlmcp_py.client.errors import ConnectError
from erlmcp_py.ports import Command, Graces, Port, PortError, open_port
from erlmcp_py.transports.framing import Lines, Message

_LAST_WORDS: Final = 3
"""Lines of standard error that are told with its end."""
_EXIT_WAIT: Final = 0.5
"""Seconds to wait for the exit status and the last words of a program that has closed its output."""


@asynccontextmanager
async def open_stdio(
    command: Command,
    limit: int,
    *,
    on_stderr: Callable[[str], object] | None = None,
    on_port: Callable[[Port | None], object] | None = None,
    graces: Graces | None = None,
    end_daemons: bool = False,
) -> AsyncIterator[Channel]:
    """Start the program; its end is the end of the block. Raises ConnectError.

    limit: bytes of a message. on_stderr: gets its lines there. on_port: is told of the port, and
    None when its program has ended. graces, end_daemons: see `ports.open_port`.
    """
    words: deque[str] = deque(maxlen=_LAST_WORDS)

    def heard(line: str) -> None:
        words.append(line)
        if on_stderr is not None:
            on_stderr(line)

    port: Port | None = None
    try:
        opened = open_port(command, on_stderr=heard, graces=graces, end_daemons=end_daemons)
        async with opened as port:
            if on_port is not None:
                on_port(port)
            yield _StdioChannel(port, limit, words)
    except PortError as problem:
        raise ConnectError(problem.text, problem.detail) from None
    finally:
        if on_port is not None and port is not None:
            on_port(None)


class _StdioChannel(DescriptorChannel):
    def __init__(self, port: Port, limit: int, words: deque[str]) -> None:
        super().__init__(
            Lines(limit),
            read=port.read,
            writable=port.stdin,
            send=lambda data: os.write(port.stdin, data),
            why=self._ended,
        )
        self._port = port
        self._words = words

    async def receive(self) -> list[Message]:
        """See `Channel`; at the end, how the program ended is waited for."""
        messages = await super().receive()
        if not messages:
            with trio.move_on_after(0 if self._port.output_was_cut else _EXIT_WAIT):
                await self._port.wait()
                await self._port.wait_stderr()  # its last words may still be on their way
        return messages

    def _ended(self) -> str:
        program = self._port.command.argv[0]
        ended = (
            f"{program} {self._port.exit}" if self._port.exit else f"{program} closed its output"
        )
        words = " | ".join(line for line in self._words if line.strip())
        return f"{ended}; it said: {words[-500:]}" if words else ended
