"""The listening socket as a thing that outlives the processes that use it."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trio.lowlevel import notify_closing

from erlmcp_py.transports.net.address import UNIX, format_address
from erlmcp_py.transports.net.protocol import Protocol
from erlmcp_py.transports.net.settings import ListenerSettings
from erlmcp_py.transports.net.wire import Wire

if TYPE_CHECKING:
    from erlmcp_py.transports.net.tls.credentials import Credentials

_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
"""A machine that is silent for 60 s is asked every 10 s, and taken for dead after 6 questions."""
_PRIVATE: Final = 0o600
_ATTEMPTS, _BETWEEN = 50, 0.01


class DoorBlocked(Exception):
    """The door cannot be opened; `reason` is ``("socket_in_use", path)`` when somebody answers at the
    path, ``("not_a_socket", path)`` when what lies there is something else, ``("tls", text)`` when
    the certificate cannot be used.
    """

    def __init__(self, reason: tuple[Any, ...]) -> None:
        super().__init__(reason)
        self.reason = reason


class Door:
    """Where one listener stands: the descriptor of its socket, the port it got, and the certificate
    that it shows.

    Lives in the child spec, so it outlasts the processes: a listener that was told to take
    any port takes the same one again when it is restarted. A descriptor and not a socket
    object, because it has no owner among the tasks that could close it in a `finally`.
    inside: the connections that came in and are open; see `Connections.init`. arriving: those the
    acceptor has taken from the system's queue and the pool has not answered for, with their addresses;
    an acceptor that is killed leaves them to the next.
    """

    __slots__ = (
        "_descriptor",
        "_file",
        "_gate",
        "_handed_in",
        "_reuse_port",
        "_shared",
        "accepting",
        "arriving",
        "credentials",
        "guests",
        "host",
        "inside",
        "leaving",
        "plain_refused",
        "port",
    )

    def __init__(self, settings: ListenerSettings, protocol: Protocol) -> None:
        self.host = settings.host
        self.port = settings.port
        self.inside: set[Any] = set()
        self.arriving: dict[socket.socket, Any] = {}
        self.guests = 0
        """Clients of a Unix socket so far; they have no address, so a number tells them apart."""
        self.credentials: Credentials | None = None
        """None without TLS."""
        if settings.tls is not None:
            # Here, because a node without TLS has no use for what this imports.
            from erlmcp_py.transports.net.tls.credentials import Credentials

            self.credentials = Credentials(settings.tls, protocol.alpn)
        self.plain_refused = protocol.plain_refused
        self.leaving: socket.socket | None = None
        """The acceptor's socket while it waits for clients."""
        self.accepting = True
        """Clients are let in, or those who wait in the system's queue still are."""
        self._shared: bool | None = None
        """Set when nobody is to be let in any more: whether others accept from the same socket."""
        self._reuse_port = settings.reuse_port
        self._handed_in = settings.descriptor
        self._gate = settings.gate
        self._descriptor = -1
        self._file: tuple[int, int] | None = None
        """Device and inode of the Unix socket that this door has made."""

    @property
    def path(self) -> Path | None:
        """Of a Unix socket; None for a port."""
        return Path(self.host.removeprefix(UNIX)) if self.host.startswith(UNIX) else None

    @property
    def address(self) -> str:
        """As people write it."""
        return format_address(self.host, self.port)

    def open(self, backlog: int) -> None:
        """Load the certificate, bind and listen, unless that was done. Raises OSError, or DoorBlocked."""
        if self._descriptor >= 0 or self.shut:
            return
        # Opened once more, it shows what it had; the keeper looks whether there is anything newer.
        if self.credentials is not None and self.credentials.loaded is None:
            from erlmcp_py.transports.net.tls.credentials import TlsProblem

            try:
                self.credentials.load()
            except TlsProblem as problem:
                raise DoorBlocked(("tls", str(problem))) from problem
        if self._handed_in is not None:
            self._take(self._handed_in, backlog)
            return
        if self.path is not None:
            self._open_path(self.path, backlog)
            return
        family, kind, protocol, _, address = socket.getaddrinfo(
            self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(address)
            _watch_for_dead_machines(sock)
            sock.listen(backlog)
            self.port = sock.getsockname()[1]
            self._descriptor = sock.detach()

    def _take(self, descriptor: int, backlog: int) -> None:
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            sock.listen(backlog)
            if sock.family != socket.AF_UNIX:
                _watch_for_dead_machines(sock)
                self.port = sock.getsockname()[1]
            elif self._gate is not None and self.path is not None:
                about = self.path.stat()  # it was another node's, and is ours from now on
                self._file = (about.st_dev, about.st_ino)
            self._descriptor = sock.detach()

    def _open_path(self, path: Path, backlog: int) -> None:
        with _alone_in(path.parent), socket.socket(socket.AF_UNIX) as sock:
            _make_room(path)
            sock.bind(str(path))
            # Nobody gets in before `listen`, so there is no moment at which the mode is wrong.
            path.chmod(_PRIVATE)
            about = path.stat()
            self._file = (about.st_dev, about.st_ino)
            sock.listen(backlog)
            self._descriptor = sock.detach()

    def wire(self, sock: socket.socket) -> Wire:
        """What one who came in is served on."""
        if self.credentials is None:
            return Wire(sock)
        from erlmcp_py.transports.net.tls.wire import TlsWire

        return TlsWire(sock, self.credentials, self.plain_refused)

    def socket(self) -> socket.socket:
        """A socket object of the acceptor's own on the open door; not blocking."""
        sock = socket.socket(fileno=os.dup(self._descriptor))
        sock.setblocking(False)
        return sock

    def lend(self) -> tuple[str, int, int] | None:
        """Host, port and a copy of the descriptor, for another node; None if it is not open."""
        if self._descriptor < 0:
            return None
        return self.host, self.port, os.dup(self._descriptor)

    async def entered(self) -> None:
        """Wait until clients are to be let in."""
        if self._gate is not None:
            await self._gate.wait()

    def stop_accepting(self, *, shared: bool) -> None:
        """Let nobody in any more, for good. shared: others accept from a copy of the socket.

        The acceptor sees to it, and sets `accepting` to False.
        """
        if self._shared is None:
            self._shared = shared
            if self.leaving is not None:
                notify_closing(self.leaving)

    def stopping(self) -> bool:
        """Whether `stop_accepting` was called."""
        return self._shared is not None

    @property
    def shared(self) -> bool:
        """Whether those who wait in the system's queue are somebody else's."""
        return bool(self._shared)

    @property
    def shut(self) -> bool:
        """Whether it was closed for good."""
        return not self.accepting

    def close_for_good(self) -> None:
        """Nobody is let in any more."""
        self.accepting = False
        self.leaving = None
        if self._shared:
            self._file = None  # theirs
        self.close()
        if self._handed_in is not None:
            os.close(self._handed_in)
            self._handed_in = None

    def forsake(self) -> None:
        """The pool is dead: close what it let in and what has not run a line, and so never will."""
        for connection in self.inside:
            if connection.pid is None:
                connection.close()

    def close(self) -> None:
        """Stop listening; the file of a Unix socket goes too, unless it has been replaced."""
        for client in self.arriving:
            client.close()
        self.arriving.clear()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        path, file = self.path, self._file
        if path is not None and file is not None:
            try:
                about = path.lstat()
                if (about.st_dev, about.st_ino) == file:
                    path.unlink()
            except FileNotFoundError:
                pass  # somebody was faster
        os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def _watch_for_dead_machines(sock: socket.socket) -> None:
    """Have the system ask the other ends of quiet connections whether they are still there.

    Set here, because connections have it from the socket they are accepted from, at no cost each.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        option = getattr(socket, name, None)  # not every system has all
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two nodes that find the same stale socket must not replace each other's fresh one."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for attempt in range(_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_BETWEEN)
        yield
    finally:
        os.close(descriptor)


def _make_room(path: Path) -> None:
    """Remove the socket of a node that is dead; raise DoorBlocked for anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise DoorBlocked(("not_a_socket", str(path)))
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # it listens, and its queue is full
    raise DoorBlocked(("socket_in_use", str(path)))
