"""What goes over the pipes between a node and its workers: pickles, each behind its length.

Both ends run the same program and nobody else can write to the pipes, so pickles are safe here.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any, Final

HEADER: Final = struct.Struct(">Q")

MAX_FRAME: Final = 256 * 1024 * 1024
"""Bytes of one message."""


class TooLarge(ValueError):
    """A message over `MAX_FRAME`."""


class Lost(Exception):
    """Stands for an exception that cannot be pickled: its class and text."""


def pack(value: Any) -> bytes:
    """A message with its length. Raises what pickling raises, and `TooLarge`."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    if len(body) > MAX_FRAME:
        raise TooLarge(f"{len(body)} bytes; at most {MAX_FRAME} go to or from a worker process")
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> Any:
    """The message."""
    return pickle.loads(body)
