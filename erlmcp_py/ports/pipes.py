"""Pipes between the node and a program, non-blocking at the node's end."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Final

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

READ_SIZE: Final = 64 * 1024


def to_program(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """The node's end, and the program's, of a pipe to it; each stack closes those of its side."""
    read, write = _pipe(theirs, ours)
    os.set_blocking(write, False)
    return write, read


def from_program(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """The same of a pipe from it."""
    read, write = _pipe(ours, theirs)
    os.set_blocking(read, False)
    return read, write


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    for stack, descriptor in zip((reader, writer), ends, strict=True):
        stack.callback(os.close, descriptor)
    return ends


async def read_some(descriptor: int, size: int = READ_SIZE) -> bytes:
    """What there is, at most `size` bytes; empty at the end. Raises ClosedResourceError once closed."""
    while True:
        check_open(descriptor)
        await wait_readable(descriptor)
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            continue


async def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises BrokenPipeError if nobody reads any more, ClosedResourceError once closed."""
    check_open(descriptor)
    rest = memoryview(data)
    while True:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            await wait_writable(descriptor)
            continue
        if not rest:
            return


def close(descriptor: int) -> None:
    """Close it, if it is open (not -1), waking whoever waits for it."""
    if descriptor >= 0:
        notify_closing(descriptor)
        os.close(descriptor)


def check_open(descriptor: int) -> None:
    """Raises ClosedResourceError once closed."""
    if descriptor < 0:
        raise trio.ClosedResourceError("the port has closed this pipe")
