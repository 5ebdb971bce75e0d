"""The files below a directory, and nothing else.

A path from outside is never walked: what is served was found here before, and is looked up by its URI.
Symbolic links are not followed, on no level, neither when the files are found nor when one is read
later; so whoever may write to the directory cannot have anything served that lies elsewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Parts = tuple[str, ...]

MAX_FILES: Final = 100_000
"""Files below one directory that are looked at."""

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file. stamp: changes when the file does."""

    parts: Parts
    size: int
    stamp: tuple[int, ...]


class TooMany(OSError):
    """The directory holds more files than anybody would serve."""


def find_files(root: Path) -> Iterator[Found | Parts]:
    """Every regular file below `root`, and every directory as its parts; in a stable order.

    What begins with a dot is left out: version control, editors' leavings. Raises OSError.
    """
    count = 0
    for directory, subdirectories, names, fd in os.fwalk(root, follow_symlinks=False):
        inner = Path(directory).relative_to(root).parts
        subdirectories[:] = sorted(name for name in subdirectories if _served(name))
        for name in subdirectories:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                yield (*inner, name)
        for name in sorted(filter(_served, names)):
            try:
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue  # it was removed while we looked
            if stat.S_ISREG(found.st_mode):
                count += 1
                if count > MAX_FILES:
                    raise TooMany(f"there are more than {MAX_FILES} files")
                stamp = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
                yield Found((*inner, name), found.st_size, stamp)


def read_file(root: Path, parts: Parts, limit: int) -> bytes:
    """The contents of a file below `root`.

    Raises OSError if it is not there, is no regular file, is reached over a symbolic link, or has more
    than `limit` bytes.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        file = os.open(parts[-1], _FILE, dir_fd=fd)
    finally:
        os.close(fd)
    with os.fdopen(file, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(f"{'/'.join(parts)} is no regular file")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{'/'.join(parts)} has more than {limit} bytes")
    return data


def _served(name: str) -> bool:
    if name.startswith("."):
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False  # no URI could name it
    return True
