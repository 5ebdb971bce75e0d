"""What becomes of ports when the node is killed: a small program that ends their families.

WHY a program: what is killed with -9 can do nothing any more. Most children end when their standard
input does, which happens by itself; those that do not, and what they have started, would go on for
ever. PR_SET_PDEATHSIG would reach only the first process of each group, ends the child with the
thread that started it, and has to be set between fork and exec, where Python must not run in a
program with threads.

The program (`warden_program`) runs while there is a port. It is told their families through a pipe
whose other end only this process has; when that ends, however it does, the program sends SIGTERM to
those it knows, then SIGKILL. If it is killed itself, the next port starts another one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from erlmcp_py.ports.family import Family

_PROGRAM: Final = Path(__file__).with_name("warden_program.py")


class Warden:
    """The families that are to be ended with this process, and the program that will do it.

    One for each operating-system process, because that is what it watches. Its methods do not wait
    and may be called from any thread.
    """

    __slots__ = ("_families", "_lock", "_pipe", "_program")

    def __init__(self) -> None:
        self._families: dict[int, Family] = {}
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    @property
    def pid(self) -> int | None:
        """Of the program; None while there is no port."""
        program = self._program
        return None if program is None else program.pid

    def add(self, family: Family) -> None:
        """End this one if the node dies. Raises OSError if nobody can be started who would."""
        with self._lock:
            self._families[family.leader] = family
            try:
                self._say(_added(family))
            except OSError:
                del self._families[family.leader]
                raise

    def remove(self, leader: int) -> None:
        """The family has ended; its number may mean others soon."""
        with self._lock:
            self._families.pop(leader, None)
            if not self._families:
                self._stop()
                return
            try:
                self._say(f"-{leader}\n")
            except OSError:
                return  # the next one that begins or ends has another one started

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
        for family in self._families.values():
            self._tell(_added(family))

    def _stop(self) -> None:
        """Killed and not asked: it must not take the end of its pipe for that of the node."""
        program, self._program = self._program, None
        if program is not None:
            program.send_signal(signal.SIGKILL)
            program.wait()
            os.close(self._pipe)
            self._pipe = -1


def _added(family: Family) -> str:
    return f"+{family.leader} {family.since} {family.mark}\n"


warden: Final = Warden()
"""The warden of this process."""
