"""A node's hold on its name.

Two nodes of one user may not share a name: the second would steal the first's
socket and every later command would go to the wrong one. Connecting to see
whether somebody answers is not enough, because two nodes starting in the same
moment would both find nobody. So the name is a lock (``flock``) on ``NAME.lock``:
the kernel gives it to one holder and takes it back when that holder dies, however
it dies. A socket left over by a dead node is then recognised (nobody accepts) and
replaced in one step by a rename, so that no client ever meets half a socket.

The lock belongs to the operating-system process and outlives restarts of the
control process, which only listens.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType

from erlmcp_py.console.place import (
    DIRECTORY_VARIABLE,
    PlaceError,
    prepare_directory,
    socket_path,
)


class NodeRunning(PlaceError):
    """Another node holds the name."""


class NameClaim:
    """The lock on one node name; made by `claim`, given back by `release`.

    Usable as a context manager.
    """

    def __init__(self, name: str, path: Path, lock: int, *, lent: bool = False) -> None:
        """lent: the lock is a copy of another node's, whose name it is until `take`."""
        self.name = name
        self.path = path
        self._lock: int | None = lock
        self._lent = lent

    def lend(self) -> int:
        """A copy of the lock: who has it holds the name, even when this process has ended."""
        if self._lock is None:
            raise RuntimeError(f"the claim on node name {self.name!r} was released")
        return os.dup(self._lock)

    def take(self) -> None:
        """The name is this process's now; the node that has lent it does not use it any more."""
        assert self._lock is not None
        self._lent = False
        _sign(self._lock)

    def give_away(self) -> None:
        """The name is another node's now: leave it its socket."""
        self._lent = True
        self.release()

    def listen(self, backlog: int = 64) -> socket.socket:
        """A listening, non-blocking socket (mode 0600) at `path`, in place of any before it."""
        if self._lock is None:
            raise RuntimeError(f"the claim on node name {self.name!r} was released")
        fresh = self.path.with_name(f".{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            fresh.unlink(missing_ok=True)
            listener.bind(str(fresh))
            fresh.chmod(0o600)
            listener.listen(backlog)
            listener.setblocking(False)
            fresh.replace(self.path)
        except OSError:
            listener.close()
            fresh.unlink(missing_ok=True)
            raise
        return listener

    def release(self) -> None:
        """Remove the socket and give the name back; a second call does nothing."""
        if self._lock is None:
            return
        if not self._lent:
            self.path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> NameClaim:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def claim(name: str, directory: Path) -> NameClaim:
    """Take `name` for this operating-system process.

    Raises `NodeRunning` when a living node has it, `PlaceError` when the directory or
    the name will not do.
    """
    path = socket_path(name, directory)
    prepare_directory(directory)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        lock = os.open(path.with_suffix(".lock"), flags, 0o600)
    except OSError as error:
        raise _unwritable(directory, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise NodeRunning(
            f"a node named {name!r} is running already (pid {holder}, socket {path}): "
            "stop it or choose another --name"
        ) from None
    try:
        if answers(path):
            raise NodeRunning(
                f"somebody answers on {path} without holding its lock: "
                "stop that process or choose another --name"
            )
        try:
            _sign(lock)
        except OSError as error:
            raise _unwritable(directory, error) from None
    except BaseException:
        os.close(lock)
        raise
    return NameClaim(name, path, lock)


def _unwritable(directory: Path, error: OSError) -> PlaceError:
    return PlaceError(
        f"cannot write in the control directory {directory}: {error.strerror}; "
        f"choose another with {DIRECTORY_VARIABLE}"
    )


def _sign(lock: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)


def answers(path: Path) -> bool:
    """Whether anybody accepts connections at `path`; a stale or missing socket does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EACCES) or isinstance(error, TimeoutError)
    return True


def is_held(name: str, directory: Path) -> bool:
    """Whether a living process has `name`."""
    try:
        lock = os.open(socket_path(name, directory).with_suffix(".lock"), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
