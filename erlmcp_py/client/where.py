"""Where a server is: what `Client`'s constructors make, and a connection opens."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from erlmcp_py.client.http.address import Address
from erlmcp_py.client.shown import shown_command
from erlmcp_py.transports.framing import Name

if TYPE_CHECKING:
    from erlmcp_py.ports import Command


class AtUrl(msgspec.Struct, frozen=True):
    """An HTTP endpoint. headers: sent with every request. authorizer: see `http.authorizing`; tls: an
    `ssl.SSLContext`, None for the system's own trust.
    """

    address: Address
    headers: Mapping[str, str] = {}
    authorizer: Any = None
    tls: Any = None

    @property
    def key(self) -> Hashable:
        """By what the era is remembered."""
        return self.address.origin + self.address.target

    def __str__(self) -> str:
        return self.address.shown

    def __repr__(self) -> str:
        return f"AtUrl({self}, …)"  # headers are secrets


class ByCommand(msgspec.Struct, frozen=True):
    """A program that is started. The others: see `channels.stdio`.

    end_daemons: True, as a node wants it, of which nothing is to be left; `Client.stdio` has it asked for.
    """

    command: Command
    on_stderr: Any = None
    on_port: Any = None
    graces: Any = None
    end_daemons: bool = True

    @property
    def key(self) -> Hashable:
        """By what the era is remembered."""
        return self.command.argv, self.command.cwd

    def __str__(self) -> str:
        return shown_command(self.command.argv)


class AtSocket(msgspec.Struct, frozen=True):
    """A TCP port, or the path of a Unix socket if `port` is None."""

    host: str
    port: int | None
    framing: Name = "newline"

    @property
    def key(self) -> Hashable:
        """By what the era is remembered."""
        return self.host, self.port, self.framing

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


class AtWebSocket(msgspec.Struct, frozen=True):
    """A ws: or wss: URL; the address is that of the handshake, which is HTTP. Members as of `AtUrl`."""

    address: Address
    headers: Mapping[str, str] = {}
    authorizer: Any = None
    tls: Any = None

    @property
    def key(self) -> Hashable:
        """By what the era is remembered."""
        return str(self)

    def __str__(self) -> str:
        return "ws" + self.address.url.removeprefix("http")

    def __repr__(self) -> str:
        return f"AtWebSocket({self}, …)"


class InProcess(msgspec.Struct, frozen=True):
    """A `Server` of this program."""

    server: Any

    @property
    def key(self) -> Hashable:
        """By what the era is remembered."""
        return id(self.server)

    def __str__(self) -> str:
        return str(self.server.name)


Where = AtUrl | ByCommand | AtSocket | AtWebSocket | InProcess


def located(where: Where, problem: str) -> str:
    """The problem with its place, which it may begin with by itself: the server, or the origin of its URL."""
    return problem if str(where).startswith(problem.partition(": ")[0]) else f"{where}: {problem}"
