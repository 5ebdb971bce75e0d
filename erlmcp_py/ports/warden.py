"""What becomes of ports when the node is killed: a small program that ends their groups.

WHY a program: what is killed with -9 can do nothing any more. Most children end when their standard
input does, which happens by itself; those that do not, and what they have started, would go on for
ever. PR_SET_PDEATHSIG would reach only the first process of each group, ends the child with the
thread that started it, and has to be set between fork and exec, where Python must not run in a
program with threads.

The program (`warden_program`) runs while there is a port. It is told their groups through a pipe
whose other end only this process has; when that ends, however it does, the program sends SIGTERM to
the groups it knows, then SIGKILL. If it is killed itself, the next port starts another one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

_PROGRAM: Final = Path(__file__).with_name("warden_program.py")


class Warden:
    """The groups that are to be ended with this process, and the program that will do it.

    One for each operating-system process, because that is what it watches. Its methods do not wait
    and may be called from any thread.
    """

    __slots__ = ("_groups", "_lock", "_pipe", "_program")

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    @property
    def pid(self) -> int | None:
        """Of the program; None while there is no port."""
        program = self._program
        return None if program is None else program.pid

    def add(self, group: int) -> None:
        """End this group if the node dies. Raises OSError if nobody can be started who would."""
        with self._lock:
            self._groups.add(group)
            try:
                self._say(f"+{group}\n")
            except OSError:
                self._groups.discard(group)
                raise

    def remove(self, group: int) -> None:
        """The group has ended; its number may mean others soon."""
        with self._lock:
            self._groups.discard(group)
            if not self._groups:
                self._stop()
                return
            try:
                self._say(f"-{group}\n")
            except OSError:
                return  # the next group that begins or ends has another one started

    def _say(self, line: str) -> None:
        if self._program is None or not self._tell(line):
            self._start()

    def _tell(self, line: str) -> bool:
        """False if the program is gone, or so stuck that its pipe is full."""
        try:
            os.write(self._pipe, line.encode("ascii"))
        except (BrokenPipeError, BlockingIOError):
            return False
        return True

    def _start(self) -> None:
        self._stop()
        theirs, ours = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        try:
            self._program = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._pipe = ours
        for group in self._groups:
            self._tell(f"+{group}\n")

    def _stop(self) -> None:
        """Killed and not asked: it must not take the end of its pipe for that of the node."""
        program, self._program = self._program, None
        if program is not None:
            program.send_signal(signal.SIGKILL)
            program.wait()
            os.close(self._pipe)
            self._pipe = -1


warden: Final = Warden()
"""The warden of this process."""
