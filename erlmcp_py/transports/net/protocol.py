"""What a transport adds to a listener: how one client is served, and how one too many is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import trio

from erlmcp_py.protocol.refusals import EXHAUSTED, Refusal
from erlmcp_py.transports.net.settings import ListenerSettings
from erlmcp_py.transports.net.wire import Wire
from supervisors import Pid, limit_mailbox
from supervisors import self as own_pid


class ConnectionStatistics(msgspec.Struct, frozen=True):
    """One connection. Times are seconds on the runtime's clock.

    requests: complete ones read. unavailable: those refused because too much waited at a server or
    session, or it was being restarted. waiting: whether a request is being answered now.
    """

    pid: Pid | None
    peer: str
    opened_at: float
    last_request_at: float | None
    requests: int
    unavailable: int
    bytes_in: int
    bytes_out: int
    waiting: bool


class Connection:
    """One client: `run` is its process. A protocol's own connection is a subclass with `serve`.

    Its state may be read by the pool at any moment, also before the process has run its first line
    and after it has ended.
    """

    __slots__ = (
        "_now",
        "arriving_since",
        "draining",
        "last_request_at",
        "opened_at",
        "peer",
        "pid",
        "requests",
        "settings",
        "unavailable",
        "waiting",
        "wire",
    )

    def __init__(self, wire: Wire, peer: str, settings: ListenerSettings) -> None:
        self.wire = wire
        self.peer = peer
        self.settings = settings
        self.pid: Any = None
        self._now = trio.lowlevel.current_clock().current_time
        self.opened_at = self._now()
        self.last_request_at: float | None = None
        self.requests = self.unavailable = 0
        self.waiting = False
        self.draining = False
        """The node is to end: nothing that lasts is to be begun, and the client is to come back elsewhere."""
        self.arriving_since: float | None = None
        """When the first byte came of a request that is not complete."""

    async def serve(self) -> None:
        """Serve until either side closes; the socket is closed when this returns."""
        raise NotImplementedError

    def say_goodbye(self) -> None:
        """The listener is being stopped: send last words, if the system takes them at once."""

    def drain(self) -> None:
        """The node is to end: what lasts has to be ended. Requests go on; in the pool's turn."""
        self.draining = True

    def give_up(self) -> None:
        """A request takes longer to arrive than it may: say so, if the system takes it at once."""

    def beat(self, now: float) -> None:
        """The pool looks at it, every few seconds, and has found nothing wrong."""

    async def run(self) -> None:
        """The life of the process."""
        self.pid = self.wire.owner = own_pid()
        limit_mailbox(self.settings.mailbox, "kill")
        try:
            if await self.wire.open():
                await self.serve()
        finally:
            self.close()

    def begin(self) -> None:
        """A request is complete, and is being answered from now on."""
        self.requests += 1
        self.waiting = True
        self.arriving_since = None

    def end(self) -> None:
        """Nothing is being answered any more."""
        self.waiting = False
        self.last_request_at = self._now()

    @property
    def idle_since(self) -> float | None:
        """When its last request was answered (or it was opened); None while one is being answered.

        What counts is a complete request, not a byte, so a client that dribbles is as idle as one
        that is silent.
        """
        return self.quiet_since

    @property
    def quiet_since(self) -> float | None:
        """The same, also where being idle is no reason to close."""
        if self.waiting:
            return None
        return self.opened_at if self.last_request_at is None else self.last_request_at

    def close(self) -> None:
        """Close the socket, waking whoever waits for it."""
        self.wire.close()

    def statistics(self) -> ConnectionStatistics:
        """What can be said about the connection now."""
        return ConnectionStatistics(
            self.pid,
            self.peer,
            self.opened_at,
            self.last_request_at,
            self.requests,
            self.unavailable,
            self.wire.bytes_in,
            self.wire.bytes_out,
            self.waiting,
        )


def crowded(why: Refusal) -> str:
    """What is said to a connection more than may be."""
    whose = "this node has" if why is EXHAUSTED else "your address has"
    return f"{whose} as many connections open as it may"


def in_silence(_entry: Refusal) -> bytes:
    """Nothing is said to those who are turned away."""
    return b""


class Protocol(msgspec.Struct, frozen=True):
    """kind: what the registry says the transport is. connect: makes the connection of a client, from
    its wire, its address and the listener's settings. turned_away: makes what one connection too
    many is sent before it is closed; over TLS it is closed without. plain_refused: makes what a client
    is sent that does not speak TLS where it should. alpn: the names of the protocol, as clients ask
    for them in TLS. also: what the registry says besides.
    """

    kind: str
    connect: Callable[[Wire, str, Any], Connection]
    turned_away: Callable[[Refusal], bytes] = in_silence
    plain_refused: Callable[[], bytes] = bytes
    alpn: tuple[str, ...] = ()
    also: Mapping[str, Any] = {}
