"""The node that suffers: the core of the real tree, two servers, and sockets that need no network.

The clients' ends of the sockets live in the same loop, so that everything happens in virtual time: a
byte that was sent is there at once, and when everybody waits, the clock jumps. Connections are handed
to the process that keeps them as the acceptor would; the acceptor itself stands in the tree, idle.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import socket
from typing import Any

import msgspec
import trio

from erlmcp_py import sessions, subscriptions
from erlmcp_py.config import Config, HttpConfig, SessionsConfig, StdioConfig, TcpConfig
from erlmcp_py.parts import Parts
from erlmcp_py.server import Context, Server
from erlmcp_py.transports.stdio import Channel
from erlmcp_py.tree import Node, child_specs
from supervisors import CallExit, Pid, call, current_runtime, process_info, sys, which_children
from supervisors import self as own_pid
from tests.erlmcp_py.transports.http.client import initialize
from tests.erlmcp_py.transports.tcp.client import Framing

SERVERS = ("alpha", "beta")
TIMEOUT = 40.0
TICK = 0.25
"""Virtual seconds. Everybody moves at multiples of it, so that what happens at once is much."""

CONFIG = msgspec.structs.replace(
    Config(),
    http=HttpConfig(port=0, idle_timeout=120.0),
    tcp=TcpConfig(enabled=True, port=0, idle_timeout=120.0),
    stdio=StdioConfig(enabled=True),
    sessions=SessionsConfig(idle_timeout=600.0),
)


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


def make_server(name: str, running: dict[str, Pid]) -> Server:
    """Tools of every kind. running: token of a call -> its process, while it has one."""
    server = Server(name, version="1.0")

    @server.tool()
    def echo(token: str) -> str:
        """Say it back."""
        return token

    @server.tool(timeout=TIMEOUT, task="optional")
    async def later(token: str, seconds: float) -> str:
        """Say it back, after a while."""
        running[token] = own_pid()
        try:
            await trio.sleep(seconds)
        finally:
            running.pop(token, None)
        return token

    @server.tool(timeout=TIMEOUT, task="optional")
    async def steps(context: Context, token: str, count: int) -> str:
        """Report, and say it back."""
        running[token] = own_pid()
        try:
            for number in range(count):
                context.report_progress(number, count)
                await trio.sleep(TICK)
        finally:
            running.pop(token, None)
        return token

    @server.tool(timeout=TIMEOUT, task="optional")
    async def ask(context: Context, token: str) -> str:
        """Say back what the user says, and the token."""
        running[token] = own_pid()
        try:
            answer = await context.elicit(Name, key="name")
        finally:
            running.pop(token, None)
        return f"{token} {answer.name}"

    @server.tool(task="optional")
    def crash(token: str) -> str:
        """Fail."""
        raise RuntimeError(token)

    @server.resource("note:{name}")
    def note(name: str) -> str:
        """A note."""
        return name

    return server


class World:
    """A running node. Open it in a runtime. framing: of its TCP listener."""

    def __init__(self, framing: Framing = "newline") -> None:
        self.framing = framing
        self.running: dict[str, Pid] = {}
        self.numbers = itertools.count(1)
        """For the names of connections."""
        self.servers = {name: make_server(name, self.running) for name in SERVERS}
        self.root: Pid | None = None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.stdio = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._ours = [self.stdio]
        self._theirs = theirs

    async def start(self) -> None:
        """Start the tree, and have the client on standard input shake hands with it."""
        descriptor = self._theirs.fileno()
        channel = Channel(descriptor, descriptor)
        tcp = msgspec.structs.replace(CONFIG.tcp, framing=self.framing)
        config = msgspec.structs.replace(CONFIG, tcp=tcp)
        core = child_specs(config, Parts(self.servers, None, _ignore, channel))[0]
        self.root = await Node.start_link((core,), name="node")
        hello = initialize()
        hello["params"]["capabilities"] = {"elicitation": {}}
        await self.stdio.send_all(json.dumps(hello).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += await self.stdio.receive_some(65536)
        assert "result" in json.loads(answer), answer

    async def dial(self, peer: str, listener: str = "http") -> trio.SocketStream:
        """A connection as that listener would accept it, when there is somebody to take it."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._ours.append(stream)
        try:
            while theirs.fileno() >= 0:  # else taken, and closed at once by a kill
                try:
                    await call(f"{listener}_connections", ("start", theirs, peer))
                    break
                except CallExit:
                    await trio.sleep(0.1)
        except trio.Cancelled:
            theirs.close()
            stream.socket.close()
            raise
        return stream

    def close(self) -> None:
        """Close what the clients hold, and the descriptor of standard input and output."""
        for stream in self._ours:
            stream.socket.close()
        self._theirs.close()

    async def connections(self, listener: str) -> dict[str, Pid]:
        """Peer -> the process that serves it."""
        found = await call(f"{listener}_connections", ("connections",))
        return {each.peer: each.pid for each in found if each.pid is not None}

    async def sessions(self) -> dict[str, Pid]:
        """Session id -> its process."""
        pids = [child.pid for child in await which_children("session_pool")]
        found = {}
        for pid in pids:
            if isinstance(pid, Pid):
                try:
                    found[(await call(pid, ("view",))).id] = pid
                except CallExit:
                    continue
        return found

    async def remains(self) -> dict[str, Any]:
        """What may differ from the beginning only if something leaked: processes and what ties them
        to one another, what they keep, open descriptors.
        """
        told = await subscriptions.statistics()
        counted = await sessions.statistics()
        books: dict[str, Any] = {"sessions": counted.open, "live sessions": counted.live}
        books["subscriptions"] = told.subscriptions
        counted_tasks = await call("tasks", ("statistics",))
        books["tasks"] = counted_tasks
        work: Any = await sys.get_state("tasks")
        books["watched tasks"] = len(work.watched), len(work.timers)
        manager: Any = await sys.get_state("sessions")
        books["entries"] = len(manager.entries), len(manager.by_ref)
        tables: Any = await sys.get_state("registry")
        books["registry"] = len(tables.watched), sum(map(len, tables.waiting.values()))
        for name in SERVERS:
            state: Any = await sys.get_state(f"server_{name}")
            info = await call(f"server_{name}", ("info",))
            books[name] = len(state.at_work.running), len(state.at_work.keys), info["in_flight"]
        ties: dict[str, tuple[int, ...]] = {}
        for pid in current_runtime().processes():
            info = process_info(pid)
            if info is not None:
                name = info.registered_name or f"{info.label} {info.initial_call}"
                ties[name] = (
                    ties.get(name, (0,))[0] + 1,
                    len(info.links),
                    len(info.monitors),
                    len(info.monitored_by),
                    info.message_queue_len,
                )
        return {"books": books, "ties": ties, "descriptors": open_descriptors()}


def open_descriptors() -> int:
    """How many file descriptors this process has open, garbage aside."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a count of names


def _ignore(_pid: Pid) -> None:
    """Who serves standard input is of no interest here."""
