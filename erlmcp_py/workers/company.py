"""The other workers of a node, as one of them can reach them: to hand a connection over.

A session of the revisions up to 2025-11-25 lives in one worker, and the system gives each new
connection of its client to any. The worker that reads such a request sends the connection on: its
descriptor, and what has been read of the request (SCM_RIGHTS over a Unix socket in the control
directory, which only this user can enter). From then on the client talks to the right worker, and
does not notice.

What is sent::

    -> 4 bytes: how long the letter is, with the descriptor
    -> the letter: JSON, which transport and which client
    -> the bytes that were read, to the end of the stream
    <- "+" once the other worker serves the connection
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import trio
from trio.lowlevel import wait_readable, wait_writable

from erlmcp_py.sessions.ids import SessionIds

TAKEN: Final = b"+"
PATIENCE: Final = 5.0
"""Seconds the other worker has to take a connection."""
MAX_LETTER: Final = 4096
_SIZE: Final = struct.Struct(">I")
_PIECE: Final = 64 * 1024


class Letter(msgspec.Struct, frozen=True):
    """What comes with a connection. transport: name of its listener. peer: the client's address."""

    transport: str
    peer: str


class LetterError(Exception):
    """What came over the socket is no connection; the text says why."""


class Delivery(msgspec.Struct, frozen=True):
    """A connection that was handed over. data: what had been read from it."""

    letter: Letter
    connection: socket.socket
    data: bytes


class Company:
    """The workers of one node. name: of the parent node. directory: where their sockets lie.

    ids: makes the ids of sessions, and knows whose one is.
    """

    def __init__(self, name: str, directory: Path, ids: SessionIds) -> None:
        self.name = name
        self.directory = directory
        self.ids = ids

    def post_box(self, number: int) -> Path:
        """Where worker `number` takes connections."""
        return self.directory / f"{self.name}-{number}.post"

    def elsewhere(self, session: str) -> int | None:
        """The number of the other worker that keeps the session; None: it can only be ours."""
        number = self.ids.worker_of(session)
        if number is None or number == self.ids.number or not self.post_box(number).exists():
            return None
        return number

    async def hand_over(self, number: int, descriptor: int, letter: Letter, data: bytes) -> bool:
        """Give a connection to worker `number`; False if it has not taken it, and never will.

        Whoever has it must not use it meanwhile, and has to close his own descriptor afterwards.
        Raises `trio.TooSlowError` when it is not known who has it now.
        """
        with trio.fail_after(PATIENCE), socket.socket(socket.AF_UNIX) as sock:
            sock.setblocking(False)
            try:
                sock.connect(str(self.post_box(number)))
                await _send(sock, descriptor, letter, data)
                await wait_readable(sock)
                return sock.recv(1) == TAKEN
            except OSError:  # it is gone, or so busy that its queue is full
                return False


async def _send(sock: socket.socket, descriptor: int, letter: Letter, data: bytes) -> None:
    text = msgspec.json.encode(letter)
    socket.send_fds(sock, [_SIZE.pack(len(text))], [descriptor])
    rest = memoryview(text + data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            await wait_writable(sock)
    sock.shutdown(socket.SHUT_WR)


async def take(
    sock: socket.socket, limit: int, serve: Callable[[Delivery], Awaitable[object]]
) -> None:
    """Take one connection and have it served. limit: bytes that may come with it.

    `serve` gets a socket that is its own from then on. Raises `LetterError`, OSError.
    """
    await wait_readable(sock)
    head, descriptors, _, _ = socket.recv_fds(sock, _SIZE.size, 1, socket.MSG_CMSG_CLOEXEC)
    owned = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    try:
        if len(owned) != 1 or len(head) != _SIZE.size:
            raise LetterError(f"{len(head)} bytes and {len(owned)} descriptors came, not 4 and 1")
        (size,) = _SIZE.unpack(head)
        if size > MAX_LETTER:
            raise LetterError(f"a letter of {size} bytes is longer than {MAX_LETTER}")
        received = await _rest(sock, size + limit)
        try:
            letter = msgspec.json.decode(received[:size], type=Letter)
        except msgspec.MsgspecError as error:
            raise LetterError(f"the letter cannot be read: {error}") from None
        owned[0].setblocking(False)
        await serve(Delivery(letter, owned.pop(), received[size:]))
        sock.send(TAKEN)
    finally:
        for connection in owned:
            connection.close()


async def _rest(sock: socket.socket, limit: int) -> bytes:
    received = bytearray()
    while len(received) <= limit:
        await wait_readable(sock)
        try:
            piece = sock.recv(_PIECE)
        except BlockingIOError:
            continue
        if not piece:
            return bytes(received)
        received += piece
    raise LetterError(f"more than {limit} bytes came with a connection")
