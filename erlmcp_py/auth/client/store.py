"""Where tokens and registrations are kept between runs."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import msgspec
import trio

from erlmcp_py.auth.client.errors import AuthorizationError

MAX_KEPT: Final = 1024
"""Entries a store in memory keeps; the oldest give way."""
_MAX_SIZE: Final = 1024 * 1024
HOLD_WAIT: Final = 40.0
"""Seconds after which who holds a key is no longer waited for: a request for a token takes less."""
_LOOK_AGAIN: Final = 0.05


def token_directory() -> Path:
    """Where the commands and the nodes of one user keep tokens, unless they are told otherwise."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "erlmcp" / "tokens"


class Store(Protocol):
    """Bytes by key. They are secrets; keys are not."""

    async def load(self, key: str) -> bytes | None:
        """What was saved last. Raises AuthorizationError if it cannot be told."""

    async def save(self, key: str, value: bytes | None) -> None:
        """Keep it; None: forget it. Raises AuthorizationError."""


@runtime_checkable
class Shared(Store, Protocol):
    """A store that several processes use."""

    def hold(self, key: str) -> AbstractAsyncContextManager[None]:
        """Among those who hold a key one goes on at a time, as far as that can be had; raises nothing."""


class MemoryStore:
    """Ends with the program."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    async def load(self, key: str) -> bytes | None:
        """See `Store`."""
        return self._kept.get(key)

    async def save(self, key: str, value: bytes | None) -> None:
        """See `Store`."""
        self._kept.pop(key, None)
        if value is not None:
            self._kept[key] = value
            if len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]


class _Entry(msgspec.Struct, frozen=True):
    key: str
    value: bytes


class FileStore:
    """A directory (0700) with a file (0600) for each key, replaced as a whole or not at all."""

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory).expanduser()

    async def load(self, key: str) -> bytes | None:
        """See `Store`. A file that others may read, or own, is not used."""
        try:
            return await trio.to_thread.run_sync(self._load, key)
        except (OSError, msgspec.DecodeError) as problem:
            raise AuthorizationError(f"{self._path(key)} cannot be read: {problem}") from None

    async def save(self, key: str, value: bytes | None) -> None:
        """See `Store`."""
        try:
            await trio.to_thread.run_sync(self._save, key, value)
        except OSError as problem:
            raise AuthorizationError(f"{self._path(key)} cannot be written: {problem}") from None

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """See `Shared`."""
        try:
            descriptor = await trio.to_thread.run_sync(self._open_lock, key)
        except OSError:
            descriptor = None  # saving will say what is wrong
        try:
            if descriptor is not None:
                with trio.move_on_after(HOLD_WAIT):
                    while not _lock(descriptor):  # noqa: ASYNC110 -- other processes set no events
                        await trio.sleep(_LOOK_AGAIN)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _open_lock(self, key: str) -> int:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._path(key).with_suffix(".lock"), flags, 0o600)

    def _load(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            mode = stat.S_IMODE(about.st_mode)
            if about.st_uid != os.geteuid() or mode & 0o077:
                raise AuthorizationError(
                    f"{path} has mode {mode:04o} and owner {about.st_uid}; tokens are read only from"
                    " files of one's own with mode 0600"
                )
            entry = msgspec.json.decode(file.read(_MAX_SIZE), type=_Entry)
        return entry.value if entry.key == key else None

    def _save(self, key: str, value: bytes | None) -> None:
        path = self._path(key)
        if value is None:
            path.unlink(missing_ok=True)
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(new, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(_Entry(key, value)))
                file.flush()
                os.fsync(descriptor)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        return self._directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _lock(descriptor: int) -> bool:
    """Whether the lock of an open file was free, or the system knows none; it is let go when it is closed."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True
