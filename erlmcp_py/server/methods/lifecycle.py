"""`initialize`, `server/discover` and `ping`: how a client and a server get to know each other."""

from __future__ import annotations

from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.lifecycle import (
    DiscoverResult,
    EmptyResult,
    InitializeParams,
    InitializeResult,
)
from erlmcp_py.protocol.versions import SUPPORTED, negotiate_legacy
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.caching import with_hint
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.table import Methods
from erlmcp_py.server.offer import capabilities_of
from erlmcp_py.server.scope import Scope


def _initialize(host: Host, request: Request, _scope: Scope) -> Result:
    params = params_as(request, InitializeParams)
    return InitializeResult(
        protocol_version=negotiate_legacy(params.protocol_version),
        capabilities=capabilities_of(host, "legacy"),
        server_info=host.server.info,
        instructions=host.server.instructions,
    )


def _discover(host: Host, _request: Request, _scope: Scope) -> Result:
    discovered = DiscoverResult(
        supported_versions=list(SUPPORTED),
        capabilities=capabilities_of(host, "modern"),
        instructions=host.server.instructions,
    )
    return with_hint(discovered, host.server.cache["server/discover"])


def _ping(_host: Host, _request: Request, _scope: Scope) -> Result:
    return EmptyResult()


METHODS: Methods = {
    "legacy": {"initialize": _initialize, "ping": _ping},
    "modern": {"server/discover": _discover},
}
