"""What each MCP method means for a `Server`: a request becomes an answer, or a handler to call.

Pure: nothing here starts, waits or sends. `plan` reads the request, checks it against the
definition and hands back either the finished result or a `Call`, which the server process then runs
in the way its handler asks for. The two eras differ in which methods exist (MCP: a method that is
not there, was removed, or belongs to a capability that was not advertised is -32601).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erlmcp_py.protocol.errors import method_not_found
from erlmcp_py.protocol.jsonrpc import Request
from erlmcp_py.protocol.lifecycle import InitializeResult
from erlmcp_py.protocol.versions import Era
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods import completion, lifecycle, prompts, resources, skills, tasks, tools
from erlmcp_py.server.methods.table import Method, Methods, Planned
from erlmcp_py.server.scope import Scope

_ROOMS: Final = (lifecycle, tools, resources, prompts, completion, tasks, skills)


def _merged(era: Era) -> Mapping[str, Method]:
    return {name: method for room in _ROOMS for name, method in room.METHODS[era].items()}


_METHODS: Final[Methods] = {"legacy": _merged("legacy"), "modern": _merged("modern")}


def plan(host: Host, request: Request, scope: Scope) -> Planned:
    """What to do about `request`. Raises McpError (a JSON-RPC error) or `ToolRefused`."""
    method = _METHODS[scope.era].get(request.method)
    if method is None:
        raise method_not_found(request.method)
    return method(host, request, scope)


def negotiated_version(result: Result, scope: Scope) -> str:
    """The revision an answer follows: that of the scope, but `initialize` has just chosen one."""
    return result.protocol_version if isinstance(result, InitializeResult) else scope.version
