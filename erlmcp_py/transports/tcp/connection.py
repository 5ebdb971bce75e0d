"""One client on a socket: its bytes are cut into messages by a framing, and pumped by `transports.pump`."""

from __future__ import annotations

from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.jsonrpc import encode, error_response
from erlmcp_py.transports.framing import FRAMINGS, Message, misread
from erlmcp_py.transports.net.protocol import Connection, Protocol, crowded
from erlmcp_py.transports.net.supervisor import child_spec as listener_spec
from erlmcp_py.transports.net.wire import Wire
from erlmcp_py.transports.pump import Pump
from erlmcp_py.transports.tcp.settings import TcpSettings
from supervisors import ChildSpec


def child_spec(settings: TcpSettings) -> ChildSpec:
    """The spec of a TCP listener; its id is the listener's name."""
    wrap = FRAMINGS[settings.framing].wrap

    def turned_away(why: refusals.Refusal) -> bytes:
        return wrap(encode(error_response(None, refused(why, crowded(why)))))

    def plain_refused() -> bytes:
        text = "this port speaks TLS"
        return wrap(encode(error_response(None, refused(refusals.PROTOCOL_ERROR, text))))

    protocol = Protocol("tcp", TcpConnection, turned_away=turned_away, plain_refused=plain_refused)
    return listener_spec(settings, protocol)


class TcpConnection(Connection):
    """The state of one connection; `run` is its process."""

    __slots__ = ("_pump",)

    settings: TcpSettings

    def __init__(self, wire: Wire, peer: str, settings: TcpSettings) -> None:
        super().__init__(wire, peer, settings)
        self._pump: _Pump | None = None

    async def serve(self) -> None:
        """Until everything is answered that was asked before the end of the input, or the client is gone."""
        pump = self._pump = _Pump(self, self.settings)
        await pump.run()
        if pump.stopped or self.wire.parting:
            await self.wire.linger()

    def drain(self) -> None:
        """End open streams; what is asked for goes on being answered."""
        super().drain()
        if self._pump is not None:
            self._pump.drain()

    def say_goodbye(self) -> None:
        """End open streams in order, as far as the system takes it at once; in the pool's turn."""
        if self._pump is not None:
            self._pump.say_goodbye()


class _Pump(Pump):
    """A client that closes its sending half still gets its answers; one that resets has its calls
    cancelled.
    """

    __slots__ = ("_fresh", "_messages", "_name")

    def __init__(self, connection: Connection, settings: TcpSettings) -> None:
        framing = FRAMINGS[settings.framing]
        super().__init__(
            connection,
            framing.wrap,
            limits=settings.limits,
            unread=settings.unread,
            server=settings.server,
        )
        self._name = settings.framing
        self._messages = framing(settings.message_limit)
        self._fresh = True

    def received(self, data: bytes) -> list[Message]:
        """Messages that became complete, if this is the framing of the listener."""
        if self._fresh:
            self._fresh = False
            problem = misread(self._name, data)
            if problem is not None:
                self.talk.reject(refused(refusals.PROTOCOL_ERROR, problem))
                self.stopped = True
                return []
        return self._messages.feed(data)

    def rest(self) -> list[Message]:
        """A line without its newline counts."""
        return self._messages.finish()

    def answered(self) -> bool:
        """Whether all that was asked for has been answered; subscriptions end then."""
        return self.stopped or self.talk.finish()
