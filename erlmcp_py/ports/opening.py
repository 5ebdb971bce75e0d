r"""Opening a port: `async with open_port(…)` starts a program, and its end is the end of the block.

::

    async with open_port(Command(argv=("cat",))) as port:
        await port.write(b"hello\n")
        data = await port.read()

Like a file, a port belongs to a block of code: however that is left, by its end, an exception or a
signal that kills its process, the program is brought to its end and reaped before anybody hears of
the owner's death (a process that is killed unwinds first). So there is no port without an owner.

WHY the start does not wait: between the fork and the moment somebody is responsible for the child
must be no point at which the owner could be killed. The system needs about a millisecond for it.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

from erlmcp_py.ports import owned
from erlmcp_py.ports.command import Command, PortError
from erlmcp_py.ports.family import NAME, Family, started, stat
from erlmcp_py.ports.lines import Lines
from erlmcp_py.ports.pipes import from_program, to_program
from erlmcp_py.ports.port import Graces, Port
from erlmcp_py.ports.stderr import StandardError
from erlmcp_py.ports.stdout import StandardOutput
from erlmcp_py.ports.warden import warden
from supervisors import self as own_pid


@asynccontextmanager
async def open_port(
    command: Command,
    *,
    graces: Graces | None = None,
    on_stderr: Callable[[str], object] | None = None,
    line_limit: int = 8192,
    end_daemons: bool = False,
) -> AsyncIterator[Port]:
    """Start a program for the calling process; its end is the end of the block.

    on_stderr: gets each line the program writes to standard error, at most `line_limit` bytes of it;
    None: it writes to the node's own. What it raises ends its reader and with it the owner. end_daemons:
    also those it has started that have left its session end with it (`family`). Raises `PortError` if
    the program cannot be started.
    """
    mark = os.urandom(16).hex() if end_daemons else ""
    port = _start(command, mark, with_stderr=on_stderr is not None)
    try:
        port.watch_exit()
        if on_stderr is not None:
            port.read_stderr(Lines(on_stderr, line_limit))
        yield port
    finally:
        await port.end(graces or Graces())


def _start(command: Command, mark: str, *, with_stderr: bool) -> Port:
    owner = own_pid()
    file = command.find()
    with ExitStack() as ours:
        with ExitStack() as theirs:
            try:
                program, pipes = _execute(
                    command, file, mark, ours, theirs, with_stderr=with_stderr
                )
            except OSError as error:
                raise PortError(f"{command.argv[0]}: {_explain(error)}") from error
        try:
            watch = os.pidfd_open(program.pid)
            ours.callback(os.close, watch)
            fields = stat(program.pid)
            family = Family(program.pid, started(fields) if fields else 0, mark)
            warden.add(family)
        except OSError as error:
            with suppress(ProcessLookupError):  # it has ended, in a node that is told of no ends
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            raise PortError(f"{command.argv[0]}: {_explain(error)}") from error
        ours.pop_all()
    port = Port(command, program, family, owner, watch, *pipes)
    owned.add(owner, port)
    return port


def _execute(
    command: Command,
    file: str,
    mark: str,
    ours: ExitStack,
    theirs: ExitStack,
    *,
    with_stderr: bool,
) -> tuple[subprocess.Popen[bytes], tuple[int, StandardOutput, StandardError | None]]:
    """The program, and the node's ends of its pipes, which `ours` closes; `theirs` the others."""
    to_stdin, stdin = to_program(ours, theirs)
    from_stdout, stdout = from_program(ours, theirs)
    stderr, reader = None, None
    if with_stderr:
        from_stderr, stderr = from_program(ours, theirs)
        reader = StandardError(from_stderr)
    program = subprocess.Popen(
        command.argv,
        executable=file,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=command.cwd,
        env=command.environment() | _marks(mark),
        pass_fds=command.descriptors,
        start_new_session=True,
    )
    return program, (to_stdin, StandardOutput(from_stdout), reader)


def _marks(mark: str) -> dict[str, str]:
    """Those of the node as well: it may be the program of another one."""
    return {NAME: f"{os.environ.get(NAME, '')} {mark}".strip()} if mark else {}


def _explain(error: OSError) -> str:
    text = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return f"{text}: the interpreter that its first line names is missing"
    if error.errno == errno.ENOEXEC:
        return f"{text}: it is neither a binary of this machine nor a script with a #! line"
    return text
