"""`tools/list` and `tools/call`."""

from __future__ import annotations

from typing import Final

import msgspec

from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.refusals import TOOL_NOT_FOUND
from erlmcp_py.protocol.tools import ListToolsResult
from erlmcp_py.server.call import Call, ToolRefused, with_context
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import Listing, advertised, listed, place_of
from erlmcp_py.server.methods.table import Methods, in_both
from erlmcp_py.server.mirrored import check_parameters
from erlmcp_py.server.results import tool_result
from erlmcp_py.server.schema import InvalidArguments
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.wishes import task_wish


class _CallToolParams(msgspec.Struct, frozen=True, gc=False):
    """The parameters of tools/call with the arguments left raw for the tool's own decoder."""

    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    task: msgspec.Raw = msgspec.Raw()


_TOOLS: Final = Listing(
    "tools",
    "tools/list",
    lambda definition, era: definition.tool if era == "modern" else definition.legacy,
    lambda items, cursor: ListToolsResult(tools=items, next_cursor=cursor),
)


def _tools_list(host: Host, request: Request, scope: Scope) -> msgspec.Raw:
    tools = advertised(host.server.tools, request)
    return listed(host, scope, _TOOLS, tools, place_of(host, request, "tools"))


def _tools_call(host: Host, request: Request, scope: Scope) -> Call:
    tools = advertised(host.server.tools, request)
    params = params_as(request, _CallToolParams)
    definition = tools.get(params.name)
    if definition is None:
        raise refused(TOOL_NOT_FOUND, f"Unknown tool: {params.name!r}")
    if definition.mirrored and scope.header is not None:
        check_parameters(definition.mirrored, params.arguments, scope.header)
    wish = task_wish(host, scope, definition, params.task)
    try:
        keywords = definition.arguments.parse(params.arguments)
    except InvalidArguments as problem:
        raise ToolRefused(params.name, str(problem)) from None
    output, era = definition.output, scope.era
    call = with_context(
        host,
        request,
        scope,
        Call(
            "tool",
            params.name,
            definition.handler,
            keywords,
            lambda value: tool_result(value, output, era),
            task=wish,
        ),
    )
    if call.context is not None:
        call.context.becomes_task = wish is not None
    return call


METHODS: Methods = in_both({"tools/list": _tools_list, "tools/call": _tools_call})
