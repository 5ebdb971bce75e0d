"""Where lines go without anybody waiting: a bounded queue and one thread that writes.

A terminal that was stopped with Ctrl-S, a pager or a full pipe blocks whoever writes to it. The
node's loop must not be that writer, so lines are handed to a thread. The queue is bounded: when the
reader does not keep up, lines are dropped, and the first one that gets through again is preceded by
how many are missing. A disk that is full costs the lines that do not fit on it, until there is room.
"""

from __future__ import annotations

import errno
import os
import select
import threading
from collections import deque
from typing import Final

CAPACITY: Final = 2000
"""Lines waiting at most (SYSTEM 1.13: flush at 2,000)."""

_BATCH: Final = 256
_PAUSE: Final = 1.0
# What may pass; with anything else nobody will read any more, and there is no second place to say so.
_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM})


class Sink:
    """Writes lines to a file descriptor from a thread of its own.

    fd: stays open and belongs to the caller. capacity: lines that may wait. pause: seconds until it is
    tried again on a full disk.
    """

    def __init__(self, fd: int, capacity: int = CAPACITY, pause: float = _PAUSE) -> None:
        self._fd = fd
        self._capacity = capacity
        self._pause = pause
        self._lines: deque[str | int] = deque()  # a number: so many are missing here
        self._changed = threading.Condition()
        self._dropped = 0
        self._writing = False
        self._torn = False  # the last line that was written is not whole
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, line: str) -> None:
        """Queue a line; drop it when the queue is full or the sink closed. Never waits."""
        with self._changed:
            if self._closed:
                return
            if len(self._lines) >= self._capacity:
                self._dropped += 1
                return
            if self._dropped:
                self._lines.append(self._dropped)
                self._dropped = 0
            self._lines.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until every queued line is written; says whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._lines or self._writing), timeout)

    def close(self) -> None:
        """Take no more lines and end the thread once the queued ones are written. Never waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                self._writing = True
                count = min(len(self._lines), _BATCH)
                batch = [self._lines.popleft() for _ in range(count)]
            try:
                self._write_all("".join(map(_text, batch)).encode("utf-8", "backslashreplace"))
            except OSError as problem:
                with self._changed:
                    self._writing = False
                    passing = problem.errno in _PASSING
                    if passing:
                        self._dropped += sum(1 if isinstance(x, str) else x for x in batch)
                    else:
                        self._closed = True
                        self._lines.clear()
                    self._changed.notify_all()
                    if not passing:
                        return
                    self._changed.wait_for(lambda: self._closed, self._pause)

    def _write_all(self, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        while data:
            try:
                count = os.write(self._fd, data)
                self._torn = data[count - 1 : count] != b"\n"
                data = data[count:]
            except BlockingIOError:  # somebody who shares it made it so
                waiting = select.poll()
                waiting.register(self._fd, select.POLLOUT)
                waiting.poll()


def _text(item: str | int) -> str:
    if isinstance(item, str):
        return f"{item}\n"
    what = "1 log line was" if item == 1 else f"{item} log lines were"
    return f"- {what} dropped here\n"
