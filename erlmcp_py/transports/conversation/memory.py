"""What has to be known of a client by the process that goes on with it."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.jsonrpc import Request, RequestId
from erlmcp_py.protocol.lifecycle import InitializeParams
from erlmcp_py.sessions.wishes import Wishes


class Handshake(msgspec.Struct, frozen=True):
    """What a legacy client and the node agreed on. subject: under which name the changes of its server
    are published, None until that is known. wishes: what it has asked for since.
    """

    params: InitializeParams
    version: str
    subject: str | None = None
    wishes: Wishes = Wishes()


class Memory:
    """Of one client. Where a channel outlives the process that serves it, this lies in the channel.

    Every step that changes it is synchronous, so no kill can fall into the middle.
    """

    __slots__ = ("handshake", "unanswered", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.handshake: Handshake | None = None
        self.unanswered: dict[RequestId, None] = {}
        """Requests that were begun."""
        self.waiting: dict[RequestId, tuple[Request, int]] = {}
        """Those that were not, with their size, in the order in which they came."""
        self.waiting_bytes = 0

    def put_off(self, request: Request, size: int) -> None:
        """Have a request wait until there is room for it. size: bytes."""
        self.waiting[request.id] = (request, size)
        self.waiting_bytes += size

    def next(self) -> Request | None:
        """Take the request that has waited longest; None if none waits."""
        for id in self.waiting:
            return self.drop(id)
        return None

    def drop(self, id: RequestId) -> Request | None:
        """Take a request that waits; None if there is none with this id."""
        request, size = self.waiting.pop(id, (None, 0))
        self.waiting_bytes -= size
        return request
