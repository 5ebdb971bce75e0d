"""`prompts/list` and `prompts/get`."""

from __future__ import annotations

from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.prompts import GetPromptParams, ListPromptsResult
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.caching import with_hint
from erlmcp_py.server.call import Call, with_context
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import advertised, cursor_of
from erlmcp_py.server.methods.table import Methods, in_both
from erlmcp_py.server.pagination import page
from erlmcp_py.server.results import prompt_result
from erlmcp_py.server.schema import InvalidArguments
from erlmcp_py.server.scope import Scope


def _prompts_list(host: Host, request: Request, _scope: Scope) -> Result:
    prompts = [
        definition.prompt for definition in advertised(host.server.prompts, request).values()
    ]
    items, cursor = page(prompts, cursor_of(request), host.server.page_size, "prompts")
    hint = host.server.cache["prompts/list"]
    return with_hint(ListPromptsResult(prompts=items, next_cursor=cursor), hint)


def _prompts_get(host: Host, request: Request, scope: Scope) -> Call:
    advertised(host.server.prompts, request)
    params = params_as(request, GetPromptParams)
    definition = host.server.prompts.get(params.name)
    if definition is None:
        raise McpError(INVALID_PARAMS, f"Unknown prompt: {params.name!r}")
    try:
        keywords = definition.arguments.parse(params.arguments)
    except InvalidArguments as problem:
        raise McpError(
            INVALID_PARAMS, f"Invalid arguments for prompt {params.name!r}: {problem}"
        ) from None
    description = definition.prompt.description
    return with_context(
        host,
        request,
        scope,
        Call(
            "prompt",
            params.name,
            definition.handler,
            keywords,
            lambda value: prompt_result(value, description),
        ),
    )


METHODS: Methods = in_both({"prompts/list": _prompts_list, "prompts/get": _prompts_get})
