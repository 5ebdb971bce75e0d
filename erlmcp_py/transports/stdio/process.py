"""The process that serves the client on standard input and output.

It pumps: a reader beside it puts lines into the channel's inbox, and it takes turns between the inbox
and its mailbox, where answers and notifications arrive; what the client and the node have to say to
each other is the business of the `Conversation`. Everything that one turn produced is written together,
so pipelined requests share system calls.

After a crash: the successor finds the memory of the conversation and the unhandled input in the channel,
and answers the requests that were lost with an error, so that no client waits for ever.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.guards.drain import Going, Left, tell_left
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import refused
from erlmcp_py.transports.conversation import Conversation, Limits
from erlmcp_py.transports.framing import TooLong
from erlmcp_py.transports.stdio.channel import Channel
from supervisors import (
    ChildSpec,
    Exit,
    Pid,
    call,
    exit_signal,
    receive,
    register,
    reply,
    send,
    spawn_link,
    trap_exit,
)
from supervisors import self as own_pid

CLIENT_GONE: Final = ("shutdown", "client_gone")
"""Exit reason when nobody reads the output any more, or it cannot be written: see `Channel.problem`."""

_LAST_WORDS: Final = 1.0
"""Seconds that a client has to take what is said when the node stops."""


class StdioOptions(msgspec.Struct, frozen=True, kw_only=True):
    """name: registered as transport and process. server: which one is served; None for the one
    the transport is bound to, or the node's default. limits: of the client.
    """

    name: str = "stdio"
    server: str | None = None
    limits: Limits = Limits()


class StdioStatistics(msgspec.Struct, frozen=True):
    """Of this process: requests read, refused because too much waited, and in flight now. Of the
    channel: bytes in and out.
    """

    requests: int
    overloaded: int
    in_flight: int
    bytes_in: int
    bytes_out: int


def child_spec(
    options: StdioOptions, channel: Channel | None = None, *, significant: bool = False
) -> ChildSpec:
    """The spec of the transport. Transient: it comes back after a crash, and stays away after
    the client has closed its end ("normal") or is gone (`CLIENT_GONE`).

    channel: None for this process's own standard input and output.
    """
    place = Channel() if channel is None else channel
    start = (start_link, (options, place))
    return ChildSpec(options.name, start, restart="transient", significant=significant)


async def start_link(options: StdioOptions, channel: Channel) -> Pid:
    """Start to serve the channel. Raises RegistryError if another transport has the name."""
    pid = spawn_link(serve, options, channel, label=options.name)
    try:
        register(options.name, pid)
        await registry.register_transport(options.name, pid, {"kind": "stdio"})
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid


async def statistics(name: str = "stdio") -> StdioStatistics:
    """Counts of the transport `name`."""
    return await call(name, ("statistics",))  # type: ignore[no-any-return]


async def serve(options: StdioOptions, channel: Channel) -> None:
    """The life of the process: until the input has ended and everything is answered, or it is told to
    stop; then streams are ended before it goes.
    """
    trap_exit()
    pump = _Pump(options, channel)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump.read)
            await pump.run()
            nursery.cancel_scope.cancel()
    finally:
        pump.talk.abandon("the transport stopped")
    if pump.told is not None:
        raise Exit(pump.told)


class _Pump:
    """Between the channel and the conversation."""

    def __init__(self, options: StdioOptions, channel: Channel) -> None:
        self.channel = channel
        self.pid = own_pid()
        self.talk = Conversation(
            options.limits,
            channel.memory,
            channel.write,
            transport=options.name,
            server=options.server,
            client=options.name,
        )
        self.room = trio.Event()
        self.name = options.name
        self.draining = False
        """The node is to end: as soon as every request has its answer."""
        self.told: object = None
        """Why the process has to end, other than at the end of the input."""

    async def read(self) -> None:
        """Fill the inbox whenever it is empty, and say so to the mailbox."""
        channel = self.channel
        while not channel.ended:
            if channel.inbox:
                self.room = trio.Event()
                await self.room.wait()
                continue
            await channel.read()
            send(self.pid, ("input",))

    async def run(self) -> None:
        """Take turns between inbox and mailbox; write after each turn."""
        channel, talk = self.channel, self.talk
        talk.take_over()
        while self.told is None:
            while channel.inbox:
                if talk.crowded:
                    await self._drain()
                    await talk.advance()
                line = channel.inbox.popleft()
                if isinstance(line, TooLong):
                    text = f"the line is longer than {line.limit} bytes"
                    talk.reject(refused(refusals.TOO_LARGE, text))
                else:
                    await talk.take(line)
            self.room.set()
            await talk.advance()
            if await self._drain():
                continue
            await self._flush()
            if self.told is None:
                over = channel.ended or (self.draining and talk.quiet)
                if over and not channel.inbox and talk.finish():
                    await self._flush()
                    return
                self._handle(await receive())
        if self.told != CLIENT_GONE:
            await self._say_goodbye()

    async def _drain(self) -> bool:
        """Handle what is in the mailbox; True if there was something."""
        any_message = False
        while True:
            try:
                message = await receive(timeout=0)
            except trio.TooSlowError:
                return any_message
            any_message = True
            self._handle(message)

    def _handle(self, message: Any) -> None:
        if self.talk.handle(message):
            return
        match message:
            case ("$gen_cast", ("drain", Going())):
                self.draining = True
                requests = len(self.channel.memory.unanswered)
                tell_left(self.name, Left(False, 1, requests))
            case ("EXIT", _, reason):
                if reason != "normal":
                    self.told = reason
            case ("$gen_call", from_, ("statistics",)):
                reply(from_, self._statistics())

    def _statistics(self) -> StdioStatistics:
        talk, channel = self.talk, self.channel
        return StdioStatistics(
            talk.requests, talk.overloaded, len(talk.calls), channel.bytes_in, channel.bytes_out
        )

    async def _flush(self) -> None:
        """Send what was written. A client that does not read is waited for, unless we are told to stop."""
        channel = self.channel
        try:
            if not channel.flush_now():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._heed, nursery.cancel_scope)
                    await channel.flush()
                    nursery.cancel_scope.cancel()
        except* OSError:
            self.told = CLIENT_GONE

    async def _heed(self, waiting: trio.CancelScope) -> None:
        """Stop waiting when we are told to stop; all other mail stays where it is."""
        while self.told is None:
            self._handle(await receive(_is_exit))
        waiting.cancel()

    async def _say_goodbye(self) -> None:
        """End open streams in order, if the client takes it soon."""
        self.talk.say_goodbye("the transport stops")
        try:
            with trio.move_on_after(_LAST_WORDS):
                await self.channel.flush()
        except OSError:
            return  # it has gone, and wants no goodbye


def _is_exit(message: Any) -> bool:
    return isinstance(message, tuple) and message[:1] == ("EXIT",)
