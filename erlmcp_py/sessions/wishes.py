"""What a client of the older revisions has asked for since its handshake, and the requests that ask.

A session and a connection that is a client by itself answer these requests in the same way; each keeps
its wishes where they outlive a crash of its process.
"""

from __future__ import annotations

from typing import Final

import msgspec

from erlmcp_py.protocol.errors import INVALID_PARAMS, method_not_found, refused
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.lifecycle import LogLevel, SetLevelParams
from erlmcp_py.protocol.refusals import QUOTA_EXCEEDED
from erlmcp_py.protocol.subscriptions import SubscribeParams

SET_LEVEL: Final = "logging/setLevel"
SUBSCRIBE: Final = "resources/subscribe"
UNSUBSCRIBE: Final = "resources/unsubscribe"

MAX_URIS: Final = 1000
"""Resources that one client can subscribe to."""


class Wishes(msgspec.Struct, frozen=True):
    """log_level: least severe level (`logging/setLevel`), None: never said. uris: the resources it
    subscribed to.
    """

    log_level: LogLevel | None = None
    uris: frozenset[str] = frozenset()


def wish(request: Request, wishes: Wishes) -> Wishes:
    """The wishes as they are after this request. Raises McpError.

    Whether there is such a resource is not looked at (`transports.subscribing`).
    """
    match request.method:
        case "logging/setLevel":
            level = params_as(request, SetLevelParams).level
            return msgspec.structs.replace(wishes, log_level=level)
        case "resources/subscribe":
            uris = wishes.uris | {params_as(request, SubscribeParams).uri}
            if len(uris) > MAX_URIS:
                text = f"{MAX_URIS} resources are subscribed to; unsubscribe from some first"
                raise refused(QUOTA_EXCEEDED, text, code=INVALID_PARAMS)
            return msgspec.structs.replace(wishes, uris=uris)
        case "resources/unsubscribe":
            uris = wishes.uris - {params_as(request, SubscribeParams).uri}
            return msgspec.structs.replace(wishes, uris=uris)
        case method:
            raise method_not_found(method)
