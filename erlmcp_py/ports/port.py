r"""A port: a program with its pipes, owned by the process that opened it.

::

    async with open_port(Command(argv=("cat",))) as port:
        await port.write(b"hello\n")
        data = await port.read()

Like a file, it belongs to a block of code: however that is left, by its end, an exception or a
signal that kills its process, the program is brought to its end and reaped before anybody hears of
the owner's death (a process that is killed unwinds first). So there is no port without an owner.

WHY plain descriptors: an owner reads and writes at the speed of the pipe, with one system call for
what is there, and parks in `wait_readable` only when nothing is. `port.stdin` and `port.stdout` are
non-blocking; `read` and `write` are for those who need nothing faster.

WHY the start does not wait: between the fork and the moment somebody is responsible for the child
must be no point at which the owner could be killed. The system needs about a millisecond for it.

Standard error is the node's own, or is read line by line by a process linked to the owner, so a
program that fills it cannot stand still because its owner is busy.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Final

import msgspec
import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from erlmcp_py.ports import exit as exits
from erlmcp_py.ports import owned
from erlmcp_py.ports.command import Command, PortError
from erlmcp_py.ports.ending import end_group, signal_all
from erlmcp_py.ports.exit import Exit
from erlmcp_py.ports.group import Usage, any_stopped, usage
from erlmcp_py.ports.lines import Lines
from erlmcp_py.ports.warden import warden
from supervisors import Pid, WarningReport, current_runtime, spawn_link
from supervisors import self as own_pid

READ_SIZE: Final = 64 * 1024
_LAST_LINES: Final = 0.5
"""Seconds to wait for the end of standard error when everybody who should have it open is gone."""
_AT_ONCE: Final = 0.1
"""Seconds in which a program ends that does nothing else when its input has ended."""


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
        owner: Pid,
        stdin: int,
        stdout: int,
        stderr: int = -1,
    ) -> None:
        self.command = command
        self.pid = program.pid
        self.stdin = stdin
        self.stdout = stdout
        self._program = program
        self._stderr = stderr
        self._stderr_ended = trio.Event()
        self._owner = owner
        self._opened_at = trio.current_time()
        self._watch = os.pidfd_open(program.pid)
        self._waiting = trio.Lock()
        self._exit: Exit | None = None

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
        used = Usage(0, 0, 0.0) if self._watch < 0 else usage((self.pid,))[self.pid]
        return PortStatistics(
            self.command.argv, self.pid, self._owner, self._opened_at, self._exit, used
        )

    async def wait(self) -> Exit:
        """How the program ended, once it has; what it has started may go on until the port ends."""
        async with self._waiting:
            if self._exit is None and self._watch >= 0:
                await wait_readable(self._watch)
                self._exit = exits.take(self.pid, os.WNOWAIT)  # not reaped yet: see `ending`
            if self._exit is None:
                raise trio.ClosedResourceError("the port has ended, but its program has not")
        return self._exit

    def signal(self, number: int) -> None:
        """Send a signal to the program alone; nothing happens if it has ended."""
        if self._watch >= 0:  # until then its number is nobody else's
            os.kill(self.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to the program and all it has started; nothing happens once it has ended."""
        if self._watch >= 0:
            signal_all(self.pid, number)

    async def read(self, size: int = READ_SIZE) -> bytes:
        """What the program has written, at most `size` bytes; empty at the end."""
        while True:
            await wait_readable(self.stdout)
            try:
                return os.read(self.stdout, size)
            except BlockingIOError:
                continue

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises BrokenPipeError if the program does not read any more."""
        rest = memoryview(data)
        while True:
            try:
                rest = rest[os.write(self.stdin, rest) :]
            except BlockingIOError:
                await wait_writable(self.stdin)
                continue
            if not rest:
                return

    def close_stdin(self) -> None:
        """End the program's standard input."""
        descriptor, self.stdin = self.stdin, -1
        _close(descriptor)

    # --- standard error -------------------------------------------------------------------

    def read_stderr(self, lines: Lines) -> None:
        """Have a process linked to the caller feed them; for `open_port`."""
        spawn_link(self._stderr_reader, lines, label=f"stderr of {self.pid}")

    async def wait_stderr(self) -> None:
        """Until every line of standard error has been told: as long as anybody holds it open who was
        started by the program.
        """
        if self._stderr >= 0:
            await self._stderr_ended.wait()

    async def _stderr_reader(self, lines: Lines) -> None:
        try:
            while data := await self._more_stderr():
                lines.feed(data)
            lines.finish()
        finally:
            self._stderr_ended.set()

    async def _more_stderr(self) -> bytes:
        while True:
            try:
                await wait_readable(self._stderr)
                return os.read(self._stderr, READ_SIZE)
            except BlockingIOError:
                continue
            except (trio.ClosedResourceError, OSError):
                return b""  # the port has closed it: a daemon of the program still has it open

    # --- the end --------------------------------------------------------------------------

    async def end(self, graces: Graces) -> None:
        """Bring the program and all it has started to an end. Cannot be cancelled."""
        with trio.CancelScope(shield=True):
            self.close_stdin()
            async with trio.open_nursery() as nursery:
                # Somebody who writes his last words must not stand still for want of a reader.
                nursery.start_soon(self._discard_output)
                with trio.move_on_after(graces.close):
                    await self._end_by_itself()
                stubborn = await end_group(self.pid, graces.term)
                nursery.cancel_scope.cancel()
            self._reap(stubborn)
            with trio.move_on_after(_LAST_LINES if self._stderr >= 0 else 0):
                await self._stderr_ended.wait()
            self._release()

    async def _end_by_itself(self) -> None:
        """Until the program has ended; no longer if it, or one that it may wait for, is stopped and cannot.

        WHY not looked at once: most programs end in no time, and a look is at all processes there are.
        """
        with trio.move_on_after(_AT_ONCE):
            await self.wait()
        if self._exit is None and not any_stopped(self.pid):
            await self.wait()

    async def _discard_output(self) -> None:
        try:
            while await self.read():
                pass
        except (trio.BusyResourceError, trio.ClosedResourceError):
            return  # somebody the owner has asked to still reads

    def _reap(self, stubborn: list[int]) -> None:
        """Take the exit status, so that no zombie is left; the number may be used again then."""
        ended = exits.take(self.pid)
        if ended is not None:
            self._exit = self._exit or ended
            self._program.returncode = 0  # else it would look for it once more
        if stubborn:
            text = f"{self.command.argv[0]} has processes that even SIGKILL does not end"
            report = WarningReport(self._owner, text, {"pids": stubborn})
            current_runtime().reports.emit(report)

    def _release(self) -> None:
        for descriptor in (self.stdout, self._stderr, self._watch):
            _close(descriptor)
        self.stdout = self._stderr = self._watch = -1
        warden.remove(self.pid)
        owned.remove(self._owner, self)


@asynccontextmanager
async def open_port(
    command: Command,
    *,
    graces: Graces | None = None,
    on_stderr: Callable[[str], object] | None = None,
    line_limit: int = 8192,
) -> AsyncIterator[Port]:
    """Start a program for the calling process; its end is the end of the block.

    on_stderr: gets each line the program writes to standard error, at most `line_limit` bytes of it;
    None: it writes to the node's own. What it raises ends its reader and with it the owner. Raises
    `PortError` if the program cannot be started.
    """
    port = _start(command, on_stderr, line_limit)
    try:
        yield port
    finally:
        await port.end(graces or Graces())


def _start(command: Command, on_stderr: Callable[[str], object] | None, line_limit: int) -> Port:
    owner = own_pid()
    file = command.find()
    with ExitStack() as ours:
        with ExitStack() as theirs:
            try:
                program, descriptors = _execute(command, file, on_stderr is not None, ours, theirs)
            except OSError as error:
                raise PortError(f"{command.argv[0]}: {_explain(error)}") from error
        try:
            port = Port(command, program, owner, *descriptors)
            warden.add(program.pid)
        except OSError as error:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            raise PortError(f"{command.argv[0]}: {_explain(error)}") from error
        ours.pop_all()
    owned.add(owner, port)
    if on_stderr is not None:
        port.read_stderr(Lines(on_stderr, line_limit))
    return port


def _execute(
    command: Command, file: str, with_stderr: bool, ours: ExitStack, theirs: ExitStack
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """The program, and the node's ends of its pipes, which `ours` closes; `theirs` the others."""
    stdin, to_stdin = _pipe(theirs, ours)
    stdout, from_stdout = _pipe(ours, theirs)[::-1]
    descriptors = [to_stdin, from_stdout]
    stderr = None
    if with_stderr:
        stderr, from_stderr = _pipe(ours, theirs)[::-1]
        descriptors.append(from_stderr)
    for descriptor in descriptors:
        os.set_blocking(descriptor, False)
    program = subprocess.Popen(
        command.argv,
        executable=file,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=command.cwd,
        env=command.environment(),
        pass_fds=command.descriptors,
        start_new_session=True,
    )
    return program, descriptors


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """The two ends of a pipe, each closed with one of the stacks."""
    ends = os.pipe2(os.O_CLOEXEC)
    for stack, descriptor in zip((reader, writer), ends, strict=True):
        stack.callback(os.close, descriptor)
    return ends


def _explain(error: OSError) -> str:
    text = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return f"{text}: the interpreter that its first line names is missing"
    if error.errno == errno.ENOEXEC:
        return f"{text}: it is neither a binary of this machine nor a script with a #! line"
    return text


def _close(descriptor: int) -> None:
    """Close, waking whoever waits for it."""
    if descriptor >= 0:
        notify_closing(descriptor)
        os.close(descriptor)
