"""The shape of a table of methods: each room of this package has one, `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Raw

from erlmcp_py.protocol.jsonrpc import Request
from erlmcp_py.protocol.versions import Era
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.host import Host
from erlmcp_py.server.scope import Scope

Planned = Result | Raw | Call
"""What a request comes to: a result, one that is encoded already, or a handler to call."""

Method = Callable[[Host, Request, Scope], Planned]

Methods = Mapping[Era, Mapping[str, Method]]


def in_both(methods: Mapping[str, Method]) -> Methods:
    """A table of methods that exist in either era."""
    return {"legacy": methods, "modern": methods}
