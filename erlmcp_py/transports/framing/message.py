"""What comes out of a framing."""

from __future__ import annotations

import msgspec


class TooLong(msgspec.Struct, frozen=True):
    """Stands where a message longer than the limit (bytes) stood; its bytes were dropped."""

    limit: int


Message = bytes | TooLong
