"""What the readers of a request raise."""

from __future__ import annotations

from erlmcp_py.protocol.refusals import PROTOCOL_ERROR, Refusal


class Malformed(Exception):
    """The bytes are no request that is served. status: the HTTP status to answer with, one of the entry's."""

    def __init__(self, status: int, reason: str, entry: Refusal = PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.entry = entry
