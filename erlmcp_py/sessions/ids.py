"""The ids of sessions and tasks: secrets that say, to those who made them, which worker keeps what.

Several workers (`erlmcp_py.workers`) serve one port, and the system gives a connection to any of
them. The worker that gets a request of another one's session has to know whose it is. So an id is 24
random bytes and, behind them, the number of its worker under a mask that only the workers can
compute: to everybody else all of it is noise, and guessing one is as hard as guessing 24 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Final

_RANDOM: Final = 24
_NUMBER: Final = 2
_DASH: Final = 62
"""What `-` stands for in base64url."""


class SessionIds:
    """Makes ids. number: of this worker, from 1 on. key: what the workers of one node share.

    A node without workers has none of both, and its ids are random bytes only.
    """

    __slots__ = ("_key", "number")

    def __init__(self, number: int = 0, key: bytes = b"") -> None:
        self.number = number
        self._key = key

    def new(self) -> str:
        """An id that nobody has had before."""
        random = secrets.token_bytes(_RANDOM)
        while random[0] >> 2 == _DASH:  # at a terminal it would be taken for an option
            random = secrets.token_bytes(_RANDOM)
        if not self.number:
            return _text(random)
        return _text(random + self._masked(random, self.number.to_bytes(_NUMBER)))

    def worker_of(self, id: str) -> int | None:
        """The number of the worker whose session it is, if it is one of ours; None if it cannot be.

        A forged id gives any number or none; the worker it leads to does not know it either.
        """
        if not self.number:
            return None
        try:
            raw = base64.b64decode(id.encode("ascii") + b"=", b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        if len(raw) != _RANDOM + _NUMBER:
            return None
        return int.from_bytes(self._masked(raw[:_RANDOM], raw[_RANDOM:]))

    def _masked(self, random: bytes, number: bytes) -> bytes:
        mask = hashlib.blake2b(random, digest_size=_NUMBER, key=self._key).digest()
        return bytes(a ^ b for a, b in zip(number, mask, strict=True))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
