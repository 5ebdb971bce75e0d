"""The node's end of the control socket: a listener, and a process per client.

A client of the console is an operator, but it is still a client: it may be slow, stuck,
or gone. So every connection is a process of its own, every command has a deadline, every
answer has a size, and a client that does not read for `WRITE_TIMEOUT` seconds loses its
connection. None of it holds up the node or another client.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

import supervisors
from erlmcp_py.console.command import CommandError, Context
from erlmcp_py.console.peer import Peer, peer_of
from erlmcp_py.console.wire import (
    MAX_REPLY,
    MAX_REQUEST,
    Error,
    Event,
    Failure,
    Ok,
    Request,
    WireError,
    decode_request,
    encode,
)
from erlmcp_py.telemetry.log import audit, log
from supervisors import (
    CallExit,
    ChildSpec,
    Pid,
    Stack,
    Supervisor,
    SupervisorError,
    SupFlags,
    format_reason,
    is_alive,
    process_info,
    register,
    spawn_link,
    start_child,
    whereis,
)

if TYPE_CHECKING:
    from erlmcp_py.console.service import Console

CONNECTIONS = "console_connections"
"""Registered name of the supervisor of the connections."""

WRITE_TIMEOUT = 10.0
"""Seconds a client may take to accept one line."""

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def start_listener(console: Console) -> Pid:
    """Bind the control socket and start the process that accepts on it."""
    await vacant("control")
    listening = console.claim.listen()
    pid = spawn_link(_accept, console, listening, label=f"control {console.claim.path}")
    register("control", pid)
    return pid


async def _accept(console: Console, listening: socket.socket) -> None:
    with trio.socket.from_stdlib_socket(listening) as listener:
        while True:
            try:
                connection, _ = await listener.accept()
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                log("warning", f"console: cannot accept a client: {error.strerror}")
                await trio.sleep(0.5)
                continue
            await _admit(console, connection)


async def _admit(console: Console, connection: trio.socket.SocketType) -> None:
    """Give the connection to a process of its own, or tell it why not."""
    refusal: str | None = None
    peer = peer_of(connection)
    if peer.uid not in (os.geteuid(), 0):
        refusal = f"this node belongs to uid {os.geteuid()}"
    elif len(console.peers) >= console.max_connections:
        refusal = f"{console.max_connections} console clients are connected already"
    else:
        try:
            await start_child(CONNECTIONS, [connection, peer])
        except (SupervisorError, CallExit) as error:
            refusal = f"the console cannot take a client now: {error}"
    if refusal is not None:
        with connection:
            try:
                await connection.send(encode(Error(Failure("forbidden", refusal))))
            except OSError as error:
                log("debug", f"console: a refused client was gone: {error}")


class Connections(Supervisor):
    """The connections: simple_one_for_one, temporary."""

    def init(self, console: Console) -> tuple[SupFlags, list[ChildSpec]]:
        """A child is started with ``[connection, peer]``."""
        return SupFlags("simple_one_for_one", 3, 60), [
            ChildSpec("connection", (_start_connection, (console,)), restart="temporary")
        ]


async def start_connections(console: Console) -> Pid:
    """Start the supervisor of the connections."""
    await vacant(CONNECTIONS)
    return await Connections.start_link(console, name=CONNECTIONS)


async def vacant(name: str) -> None:
    """Wait until an orphan has given up `name`.

    When the console's supervisor is killed its children end too, but each in its own time:
    a task when it has unwound, a supervisor when its children have ended. The next
    supervisor must not take one that is still at it for a rival.
    """
    while (holder := whereis(name)) is not None and is_orphan(holder):  # noqa: ASYNC110
        await trio.sleep(0.001)


def is_orphan(pid: Pid) -> bool:
    """Whether the process is ending, or the one that started it has ended."""
    info = process_info(pid)
    if info is None or not is_alive(pid):
        return True
    return info.parent is not None and not is_alive(info.parent)


async def _start_connection(
    console: Console, connection: trio.socket.SocketType, peer: Peer
) -> Pid:
    return spawn_link(_serve, console, connection, peer, label=f"console-{peer.user}-{peer.pid}")


async def _serve(console: Console, connection: trio.socket.SocketType, peer: Peer) -> None:
    me = supervisors.self()
    console.peers[me] = peer
    try:
        async with trio.SocketStream(connection) as stream:
            await _Connection(console, stream, peer).run()
    except* _ClientGone as gone:
        log("debug", f"console: client {peer} is gone: {gone.exceptions[0]}")
    finally:
        del console.peers[me]


class _ClientGone(Exception):
    """The client closed, or does not read what it asked for."""


class _Connection:
    """One client: reads its lines, runs its commands one after the other."""

    def __init__(self, console: Console, stream: trio.SocketStream, peer: Peer) -> None:
        self.console = console
        self.stream = stream
        self.peer = peer

    async def run(self) -> None:
        pending, requests = trio.open_memory_channel[Request | WireError](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.read, pending, nursery.cancel_scope)
            async for request in requests:
                if isinstance(request, WireError):
                    await self.say(Error(Failure("bad_request", str(request))))
                else:
                    await self.answer(request)
            nursery.cancel_scope.cancel()

    async def read(
        self, pending: trio.MemorySendChannel[Request | WireError], everything: trio.CancelScope
    ) -> None:
        """Hand requests on, and end everything when the client is gone."""
        buffer = bytearray()
        async with pending:
            while True:
                try:
                    received = await self.stream.receive_some(MAX_REQUEST)
                except trio.BrokenResourceError as error:
                    raise _ClientGone(str(error)) from error
                if not received:
                    if hung_up(self.stream.socket.fileno()):
                        everything.cancel()
                    return
                buffer += received
                *lines, rest = buffer.split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    if line.strip():
                        await self.take(bytes(line), pending)
                if len(buffer) > MAX_REQUEST:
                    await pending.send(
                        WireError(f"a request is at most {MAX_REQUEST} bytes; closing")
                    )
                    return

    async def take(self, line: bytes, pending: trio.MemorySendChannel[Request | WireError]) -> None:
        try:
            request = decode_request(line)
        except WireError as error:
            await pending.send(error)
            return
        await pending.send(request)

    async def answer(self, request: Request) -> None:
        """Run one command to its final line."""
        afterwards: list[Callable[[], object]] = []
        try:
            result = await self.perform(request, afterwards)
            final = encode(Ok(result))
            if len(final) > MAX_REPLY:
                raise CommandError(
                    "output_too_large",
                    f"{request.command} has {len(final)} bytes to say, at most {MAX_REPLY} are "
                    "sent: narrow it with a limit or a target",
                )
        except CommandError as error:
            final = encode(Error(Failure(error.code, error.message)))
        except CallExit as error:
            code = "timeout" if error.cause == "timeout" else "crashed"
            final = encode(Error(Failure(code, f"{request.command}: {error}")))
        except _ClientGone:
            raise
        except Exception as error:  # noqa: BLE001  a plug-in's code: its client is told, the log too
            text = f"{request.command} crashed: {format_reason(error)}"
            log("error", f"console: {text}\n{Stack(error)}")
            final = encode(Error(Failure("crashed", text)))
        await self.write(final)
        for function in afterwards:
            function()

    async def perform(self, request: Request, afterwards: list[Callable[[], object]]) -> Any:
        command = await self.console.command(request.command)
        args = command.check(request.args)
        context = Context(
            console=self.console,
            peer=self.peer,
            session=request.session or f"uid {self.peer.uid}",
            emit=self.emit,
            afterwards=afterwards.append,
        )
        outcome = "ended by a crash or a lost connection"
        try:
            with trio.move_on_after(command.deadline):
                result = await command.handler(context, args)
                outcome = "ok"
                return result
            raise CommandError(
                "timeout", f"{command.name} did not finish within {command.deadline:g} s"
            )
        except CommandError as error:
            outcome = f"{error.code}: {error.message}"
            raise
        finally:
            if not command.readonly:
                audit(
                    f"{self.peer}, {request.who[:100]}" if request.who else str(self.peer),
                    f"console {command.name}",
                    **{name: value for name, value in args.items() if value is not None},
                    outcome=outcome,
                )

    async def emit(self, event: Any) -> None:
        line = encode(Event(event))
        if len(line) > MAX_REPLY:
            raise CommandError("output_too_large", f"an event of {len(line)} bytes is too large")
        await self.write(line)

    async def say(self, message: Ok | Error) -> None:
        await self.write(encode(message))

    async def write(self, line: bytes) -> None:
        """Send one line; a client that does not take it in time loses its connection."""
        try:
            with trio.fail_after(WRITE_TIMEOUT):
                await self.stream.send_all(line)
        except trio.TooSlowError:
            raise _ClientGone(f"it did not read for {WRITE_TIMEOUT:g} s") from None
        except trio.BrokenResourceError as error:
            raise _ClientGone(str(error)) from error


def hung_up(fd: int) -> bool:
    """Whether the peer closed both directions, rather than only finished sending."""
    poll = select.poll()
    poll.register(fd, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
