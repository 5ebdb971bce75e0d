"""Where the control socket of a node is found.

One socket per node name, ``NAME.sock``, in a directory that belongs to the user
and to nobody else. Whoever can open the socket can kill every process of the
node, so both ends check the directory: the node must not offer its socket to
others, and a client must not talk to a socket that somebody else put there.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

DEFAULT_NAME = "erlmcp"
"""The node name when none is given."""

DIRECTORY_VARIABLE = "ERLMCP__CONTROL__DIRECTORY"
"""The environment variable that moves the directory, for the node and its clients alike."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SUFFIX = ".sock"
_LONGEST_ADDRESS = 100
"""Bytes of a socket path: macOS takes 103, and the name used while binding may be longer."""


class PlaceError(Exception):
    """No socket can be there; the text says where and what would be right."""


def default_directory(env: Mapping[str, str] | None = None) -> Path:
    """The directory of the control sockets of this user.

    ``$ERLMCP__CONTROL__DIRECTORY``, else ``$XDG_RUNTIME_DIR/erlmcp``, else ``erlmcp-UID`` in
    the temp directory. Raises `PlaceError` if there is none of these.
    """
    env = os.environ if env is None else env
    if chosen := env.get(DIRECTORY_VARIABLE):
        return Path(chosen)
    if runtime := env.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "erlmcp"
    try:
        return Path(tempfile.gettempdir()) / f"erlmcp-{os.getuid()}"
    except FileNotFoundError:
        raise PlaceError(
            "there is no temporary directory that can be written; "
            f"choose one for the control socket with {DIRECTORY_VARIABLE}"
        ) from None


def check_name(name: str) -> str:
    """`name` if a node may be called that; raises `PlaceError`."""
    if not _NAME.fullmatch(name):
        raise PlaceError(
            f"{name!r} is no node name: up to 64 letters, digits, '_' and '-', "
            "the first a letter or digit"
        )
    return name


def socket_path(name: str, directory: Path) -> Path:
    """The socket of node `name`; raises `PlaceError` for a bad name or a path too long to bind."""
    path = directory / f"{check_name(name)}{_SUFFIX}"
    if len(os.fsencode(path)) > _LONGEST_ADDRESS:
        raise PlaceError(
            f"{path} is too long for a Unix socket (at most {_LONGEST_ADDRESS} bytes): "
            f"choose a shorter directory with {DIRECTORY_VARIABLE}"
        )
    return path


def check_directory(directory: Path) -> None:
    """Refuse a directory others could reach into; raises `PlaceError`.

    A missing directory raises `FileNotFoundError`, which for a client means "no node here".
    """
    try:
        found = directory.lstat()
    except PermissionError:
        raise PlaceError(
            f"{directory} cannot be entered by uid {os.geteuid()}; "
            f"choose another with {DIRECTORY_VARIABLE}"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise PlaceError(f"{directory} is not a directory")
    if found.st_uid != os.geteuid():
        raise PlaceError(f"{directory} belongs to uid {found.st_uid}, not to uid {os.geteuid()}")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise PlaceError(f"{directory} is open to others (mode {mode:04o}): chmod 700 it")


def prepare_directory(directory: Path) -> None:
    """Make the directory with mode 0700 if it is missing, then `check_directory` it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlaceError(
            f"cannot make the control directory {directory}: {reason}; "
            f"choose another with {DIRECTORY_VARIABLE}"
        ) from None
    check_directory(directory)


def names(directory: Path) -> list[str]:
    """Names that have a socket in `directory`, sorted; a stale one may be among them."""
    try:
        return sorted(path.name.removesuffix(_SUFFIX) for path in directory.glob(f"*{_SUFFIX}"))
    except OSError:
        return []
