"""What heir and giver say to each other: a line of JSON each; descriptors come with the `Estate`."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

import msgspec
from trio.lowlevel import wait_readable, wait_writable

MAX_DOORS: Final = 16
_LONGEST: Final = 64 * 1024


class HandoverError(Exception):
    """The other end has gone, or what it says cannot be understood; the text says what."""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """The heir: may I have what is yours? pid: of its operating-system process."""

    pid: int
    version: str


class Place(msgspec.Struct, frozen=True):
    """A listening socket. name: of its transport."""

    name: str
    host: str
    port: int


class Estate(msgspec.Struct, frozen=True, tag=True):
    """The giver's answer. With it come the descriptor of the lock, and then one for each door."""

    pid: int
    key: bytes
    doors: tuple[Place, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The giver's other answer. text: why, for the operator."""

    text: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The heir could serve."""


class Yours(msgspec.Struct, frozen=True, tag=True):
    """The giver leaves it to the heir."""


class Taken(msgspec.Struct, frozen=True, tag=True):
    """The heir serves."""


Message = Ask | Estate | Refused | Ready | Yours | Taken

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def place(name: str, directory: Path) -> Path:
    """Where the giver of node `name` listens."""
    return directory / f"{name}.handover"


class Line:
    """One end of the conversation. sock: connected, not blocking; closed by `close`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._buffer = b""
        self.descriptors: list[int] = []
        """Those that came and have not been taken out; closed by `close`."""

    async def say(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        """Send a line. Raises HandoverError."""
        rest = memoryview(msgspec.json.encode(message) + b"\n")
        try:
            while rest:
                try:
                    if descriptors:
                        sent = socket.send_fds(self._socket, [rest], list(descriptors))
                        descriptors = ()
                    else:
                        sent = self._socket.send(rest)
                except BlockingIOError:
                    await wait_writable(self._socket)
                    continue
                rest = rest[sent:]
        except OSError as error:
            raise HandoverError(f"the other node has gone: {error.strerror}") from None

    async def hear(self) -> Message:
        """The next line. Raises HandoverError."""
        while b"\n" not in self._buffer:
            await wait_readable(self._socket)
            try:
                data, came, _, _ = socket.recv_fds(
                    self._socket, _LONGEST, MAX_DOORS + 1, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                continue
            except OSError as error:
                raise HandoverError(f"the other node has gone: {error.strerror}") from None
            self.descriptors += came
            self._buffer += data
            if not data:
                raise HandoverError("the other node has gone")
            if len(self._buffer) > _LONGEST:
                raise HandoverError(f"a line of more than {_LONGEST} bytes came")
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return _decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise HandoverError(f"what the other node says is not understood: {error}") from None

    def close(self) -> None:
        """End it, and close descriptors that nobody has taken."""
        self._socket.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()
