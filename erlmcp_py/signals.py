"""The signals a node heeds: those that end it, the first in order, the second at once; and SIGHUP."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import trio

ORDERLY: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals(first: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Call `first(signal)` in the loop for the first SIGINT or SIGTERM; end at once on the second.

    Plain handlers, not trio's receiver: the second signal has to work while a handler of a server
    holds the loop, which is when it is wanted most.
    """
    token = trio.lowlevel.current_trio_token()
    stopping = False

    def handler(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            os.write(2, b"erlmcp-node: second signal, ending at once\n")
            os._exit(128 + number)
        stopping = True
        token.run_sync_soon(first, signal.Signals(number))

    before = {number: signal.signal(number, handler) for number in ORDERLY}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def hang_up(act: Callable[..., object]) -> Iterator[None]:
    """Call `act(terminal_is_gone=…)` in the loop for each SIGHUP, which says that the terminal is gone, or
    asks who has none to read its configuration again. Where it is ignored (nohup) it stays so.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return
    token = trio.lowlevel.current_trio_token()
    had_terminal = _has_terminal()

    def handler(_number: int, _frame: FrameType | None) -> None:
        gone = had_terminal and not _has_terminal()
        token.run_sync_soon(lambda: act(terminal_is_gone=gone))

    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
