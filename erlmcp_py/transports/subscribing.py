"""Whether a client of the older revisions can subscribe to a resource: the server says."""

from __future__ import annotations

from erlmcp_py.protocol.errors import method_not_found, resource_not_found
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.subscriptions import SubscribeParams, SubscriptionFilter
from erlmcp_py.server.process import Honour
from erlmcp_py.sessions.wishes import SUBSCRIBE
from supervisors import Pid, call


async def check_subscribable(request: Request, server: Pid) -> str:
    """Raise McpError unless the server has the resource that `resources/subscribe` names; of
    `resources/unsubscribe`, unless it has subscriptions at all. Raises CallExit.

    Answers the name under which the changes of the server are published.
    """
    uri = params_as(request, SubscribeParams).uri
    subject, honoured = await call(server, Honour(SubscriptionFilter(resource_subscriptions=[uri])))
    if honoured.resource_subscriptions is None:
        raise method_not_found(request.method)
    if request.method == SUBSCRIBE and not honoured.resource_subscriptions:
        raise resource_not_found(uri, "legacy")
    return str(subject)
