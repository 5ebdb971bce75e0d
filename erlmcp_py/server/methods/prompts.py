"""`prompts/list` and `prompts/get`."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.prompts import GetPromptParams, ListPromptsResult
from erlmcp_py.protocol.refusals import PROMPT_NOT_FOUND, SCHEMA_MISMATCH
from erlmcp_py.server.call import Call, with_context
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import Listing, advertised, listed, place_of
from erlmcp_py.server.methods.table import Methods, in_both
from erlmcp_py.server.results import prompt_result
from erlmcp_py.server.schema import InvalidArguments
from erlmcp_py.server.scope import Scope

_PROMPTS: Final = Listing(
    "prompts",
    "prompts/list",
    lambda definition, _era: definition.prompt,
    lambda items, cursor: ListPromptsResult(prompts=items, next_cursor=cursor),
)


def _prompts_list(host: Host, request: Request, scope: Scope) -> Raw:
    prompts = advertised(host.server.prompts, request)
    return listed(host, scope, _PROMPTS, prompts, place_of(host, request, "prompts"))


def _prompts_get(host: Host, request: Request, scope: Scope) -> Call:
    advertised(host.server.prompts, request)
    params = params_as(request, GetPromptParams)
    definition = host.server.prompts.get(params.name)
    if definition is None:
        raise refused(PROMPT_NOT_FOUND, f"Unknown prompt: {params.name!r}")
    try:
        keywords = definition.arguments.parse(params.arguments)
    except InvalidArguments as problem:
        raise refused(
            SCHEMA_MISMATCH, f"Invalid arguments for prompt {params.name!r}: {problem}"
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
