"""Who is at the other end of a console connection.

The operating system says it (``SO_PEERCRED``), not the client, so the audit log
can be believed.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from dataclasses import dataclass

import trio

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """A console client: user id, user name, and process id where the platform tells it."""

    uid: int
    user: str
    pid: int | None

    def __str__(self) -> str:
        process = "" if self.pid is None else f" pid {self.pid}"
        return f"{self.user} (uid {self.uid}{process})"


def peer_of(connection: trio.socket.SocketType) -> Peer:
    """The peer of a connected Unix socket.

    Without ``SO_PEERCRED`` (it is Linux's) the peer is this user: the socket has mode 0600.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return Peer(os.geteuid(), user_name(os.geteuid()), None)
    raw = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return Peer(uid, user_name(uid), pid or None)


def user_name(uid: int) -> str:
    """The login name of `uid`, or its number when it has none (containers often have none)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
