"""A port: a program with its pipes, owned by the process that opened it (`opening`).

WHY plain descriptors: an owner reads and writes at the speed of the pipe, with one system call for
what is there, and parks in `wait_readable` only when nothing is. `port.stdin` and `port.stdout` are
non-blocking; `read` and `write` are for those who need nothing faster.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import Final

import msgspec
import trio
from trio.lowlevel import wait_readable

from erlmcp_py.ports import exit as exits
from erlmcp_py.ports import owned, pipes
from erlmcp_py.ports.command import Command
from erlmcp_py.ports.ending import end_family, is_held_up, signal_all
from erlmcp_py.ports.exit import Exit
from erlmcp_py.ports.family import Family
from erlmcp_py.ports.group import Usage, usage
from erlmcp_py.ports.lines import Lines
from erlmcp_py.ports.pipes import READ_SIZE
from erlmcp_py.ports.stderr import StandardError
from erlmcp_py.ports.stdout import LAST_OUTPUT, StandardOutput
from erlmcp_py.ports.warden import warden
from supervisors import Pid, WarningReport, current_runtime, spawn_link

_LAST_LINES: Final = 0.5
"""Seconds to wait for the end of standard error when everybody who should have it open is gone."""
_AT_ONCE: Final = 0.1
"""Seconds in which a program ends that does nothing else when its input has ended."""
_TRACED: Final = 0.02
"""Seconds between two looks at a program that has ended, but whose tracer (`strace`) is told before us."""
_REAPING: Final = 1.0
"""Seconds for a program to be gone that was killed when nobody could look for it."""


class Graces(msgspec.Struct, frozen=True):
    """How long a program gets to end, in seconds.

    close: after its standard input has ended, before SIGTERM. term: after SIGTERM, before SIGKILL.
    """

    close: float = 2.0
    term: float = 2.0


class PortStatistics(msgspec.Struct, frozen=True):
    """One port. pid: the operating system's. opened_at: seconds on the runtime's clock.

    exit: how the program ended, None while it runs. usage: of all its processes, now.
    """

    argv: tuple[str, ...]
    pid: int
    owner: Pid
    opened_at: float
    exit: Exit | None
    usage: Usage


class Port:
    """A running program; `open_port` makes it.

    pid: the operating system's, also of its group and session. stdin, stdout: descriptors of the
    node's ends, non-blocking; -1 once closed.
    """

    def __init__(
        self,
        command: Command,
        program: subprocess.Popen[bytes],
        family: Family,
        owner: Pid,
        watch: int,
        stdin: int,
        stdout: StandardOutput,
        stderr: StandardError | None,
    ) -> None:
        """watch: a pidfd of the program. stderr: None if it is the node's own."""
        self.command = command
        self.pid = program.pid
        self.stdin = stdin
        self._stdout = stdout
        self._program = program
        self._family = family
        self._stderr = stderr
        self._owner = owner
        self._opened_at = trio.current_time()
        self._watch = watch
        self._waiting = trio.Lock()
        self._ending = trio.Lock()
        self._over = trio.Event()
        self._exit: Exit | None = None

    @property
    def stdout(self) -> int:
        """The descriptor of its standard output; -1 once closed."""
        return self._stdout.descriptor

    @property
    def opened_at(self) -> float:
        """Seconds on the runtime's clock."""
        return self._opened_at

    @property
    def has_ended(self) -> bool:
        """Whether all has been released: its program was brought to an end, and its descriptors are closed."""
        return self._watch < 0

    @property
    def exit(self) -> Exit | None:
        """How the program ended, as far as `wait` has been told; None before."""
        return self._exit

    def statistics(self) -> PortStatistics:
        """What can be said about the port now."""
        used = Usage(0, 0, 0.0) if self.has_ended else usage((self.pid,))[self.pid]
        return PortStatistics(
            self.command.argv, self.pid, self._owner, self._opened_at, self._exit, used
        )

    async def wait(self) -> Exit:
        """How the program ended, once it has; what it has started may go on until the port ends."""
        async with self._waiting:
            while self._exit is None:
                if self._watch < 0:
                    raise trio.ClosedResourceError("the port has ended, but its program has not")
                try:
                    await wait_readable(self._watch)
                except trio.ClosedResourceError:
                    continue  # the port has ended meanwhile, and knows
                if self._watch < 0:
                    continue
                self._exit = exits.take(self._watch, os.WNOWAIT)  # not reaped yet: see `ending`
                if self._exit is None:
                    await trio.sleep(_TRACED)
            return self._exit

    def signal(self, number: int) -> None:
        """Send a signal to the program alone; nothing happens if it has ended."""
        if not self.has_ended:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._watch, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to the program and all of its session; nothing happens once it has ended."""
        if not self.has_ended:
            signal_all(self._family, number)

    async def read(self, size: int = READ_SIZE) -> bytes:
        """What the program has written, at most `size` bytes; empty at the end, which comes soon after the
        program's own, whoever has it open still. Raises ClosedResourceError once the port has ended.
        """
        return await self._stdout.read(size)

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises BrokenPipeError if the program does not read any more,
        ClosedResourceError after `close_stdin`.
        """
        await pipes.write_all(self.stdin, data)

    @property
    def output_was_cut(self) -> bool:
        """Whether standard output ends with the program that ended a while ago, not with the last who has it
        open: no more of it is worth waiting for.
        """
        return self._stdout.was_cut

    def close_stdin(self) -> None:
        """End the program's standard input."""
        descriptor, self.stdin = self.stdin, -1
        pipes.close(descriptor)

    def read_stderr(self, lines: Lines) -> None:
        """Have a process linked to the caller feed them; for `open_port`."""
        assert self._stderr is not None
        self._stderr.start(self.pid, lines)

    def watch_exit(self) -> None:
        """Have a process linked to the caller end standard output with the program; for `open_port`."""
        spawn_link(self._watch_exit, label=f"exit of {self.pid}")

    async def _watch_exit(self) -> None:
        try:
            await self.wait()
        except trio.ClosedResourceError:
            return
        with trio.move_on_after(LAST_OUTPUT):
            await self._over.wait()
        if not self._ending.locked():  # else it is being emptied for those who still write
            self._stdout.finish()

    async def wait_stderr(self) -> None:
        """Until every line of standard error has been told: as long as anybody holds it open who was
        started by the program.
        """
        if self._stderr is not None:
            await self._stderr.at_end.wait()

    # --- the end --------------------------------------------------------------------------

    async def end(self, graces: Graces) -> None:
        """Bring the program and all it has started to an end, once. Cannot be cancelled."""
        with trio.CancelScope(shield=True):
            async with self._ending:
                if not self.has_ended:
                    await self._end(graces)

    async def _end(self, graces: Graces) -> None:
        self.close_stdin()
        async with trio.open_nursery() as nursery:
            # Somebody who writes his last words must not stand still for want of a reader.
            nursery.start_soon(_discard, self.stdout)
            if self._stderr is not None and self._stderr.at_end.is_set():
                nursery.start_soon(_discard, self._stderr.descriptor)
            with trio.move_on_after(graces.close):
                await self._end_by_itself()
            stubborn = await end_family(self._family, self._watch, graces.term)
            nursery.cancel_scope.cancel()
        with trio.move_on_after(_REAPING):
            await self.wait()
        with trio.move_on_after(_LAST_LINES):
            await self.wait_stderr()
        if stubborn:
            text = f"{self.command.argv[0]} has processes that even SIGKILL does not end"
            report = WarningReport(self._owner, text, {"pids": stubborn})
            current_runtime().reports.emit(report)
        self._release()

    async def _end_by_itself(self) -> None:
        """Until the program has ended; no longer if it, or one that it may wait for, is stopped and cannot.

        WHY not looked at once: most programs end in no time, and a look is at all processes there are.
        """
        with trio.move_on_after(_AT_ONCE):
            await self.wait()
        if self._exit is None and not is_held_up(self._family):
            await self.wait()

    def _release(self) -> None:
        """Take the exit status, so that no zombie is left, and close what is open; in one go, because its
        number may mean somebody else as soon as it is reaped.
        """
        warden.remove(self.pid)
        ended = exits.reap(self._watch, self.pid)
        if ended is not None:
            self._exit = self._exit or ended
            self._program.returncode = 0  # else it would look for it once more
        watch, self._watch = self._watch, -1
        pipes.close(watch)
        self._stdout.close()
        self._over.set()
        if self._stderr is not None:
            self._stderr.close()
        owned.remove(self._owner, self)


async def _discard(descriptor: int) -> None:
    try:
        while await pipes.read_some(descriptor):
            pass
    except (trio.BusyResourceError, trio.ClosedResourceError):
        return  # somebody the owner has asked to still reads
