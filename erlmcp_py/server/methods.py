"""What each MCP method means for a `Server`: a request becomes an answer, or a handler to call.

Pure: nothing here starts, waits or sends. `plan` reads the request, checks it against the
definition and hands back either the finished result or a `Call`, which the server process then runs
in the way its handler asks for. The two eras differ in which methods exist (MCP: a method that is
not there, was removed, or belongs to a capability that was not advertised is -32601).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from erlmcp_py.protocol.completion import CompleteParams, CompleteResult, Completion
from erlmcp_py.protocol.errors import (
    INVALID_PARAMS,
    McpError,
    method_not_found,
    resource_not_found,
)
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.lifecycle import (
    DiscoverResult,
    EmptyResult,
    InitializeParams,
    InitializeResult,
)
from erlmcp_py.protocol.meta import read_progress_token
from erlmcp_py.protocol.prompts import GetPromptParams, ListPromptsResult
from erlmcp_py.protocol.resources import (
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceParams,
)
from erlmcp_py.protocol.tools import ListToolsResult
from erlmcp_py.protocol.versions import SUPPORTED, Era, negotiate_legacy
from erlmcp_py.protocol.wire import PaginatedParams, Result
from erlmcp_py.server.context import Context
from erlmcp_py.server.definition import Server
from erlmcp_py.server.pagination import page
from erlmcp_py.server.results import (
    completion_result,
    prompt_result,
    resource_result,
    tool_result,
)
from erlmcp_py.server.schema import InvalidArguments
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.signature import Handler

Kind = Literal["tool", "resource", "prompt", "completion"]


@dataclass(slots=True)
class Call:
    """A handler to call for a request."""

    kind: Kind
    name: str
    """The tool or prompt, the URI of the resource or of the template it comes from."""
    handler: Handler
    keywords: dict[str, Any]
    finish: Callable[[Any], Result]
    """Makes the answer of what the handler returned; `BadResult` if that is impossible."""
    context: Context | None = None
    uri: str | None = None
    """The URI that was asked for, if the call reads a resource."""


class ToolRefused(Exception):
    """A tool's arguments are invalid: a result with `isError`, so that the model can try again
    (MCP 2025-11-25 and later, tools: error handling).
    """

    def __init__(self, tool: str, problem: str) -> None:
        super().__init__(f"Invalid arguments for tool {tool!r}: {problem}")
        self.tool = tool


class _CallToolParams(msgspec.Struct, frozen=True, gc=False):
    """The parameters of tools/call with the arguments left raw for the tool's own decoder."""

    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


def plan(server: Server, request: Request, scope: Scope) -> Result | Call:
    """What to do about `request`. Raises McpError (a JSON-RPC error) or `ToolRefused`."""
    method = _METHODS[scope.era].get(request.method)
    if method is None:
        raise method_not_found(request.method)
    return method(server, request, scope)


def negotiated_version(result: Result, scope: Scope) -> str:
    """The revision an answer follows: that of the scope, but `initialize` has just chosen one."""
    return result.protocol_version if isinstance(result, InitializeResult) else scope.version


def _initialize(server: Server, request: Request, _scope: Scope) -> Result:
    params = params_as(request, InitializeParams)
    return InitializeResult(
        protocol_version=negotiate_legacy(params.protocol_version),
        capabilities=server.capabilities(),
        server_info=server.info,
        instructions=server.instructions,
    )


def _discover(server: Server, _request: Request, _scope: Scope) -> Result:
    return DiscoverResult(
        supported_versions=list(SUPPORTED),
        capabilities=server.capabilities(),
        instructions=server.instructions,
    )


def _ping(_server: Server, _request: Request, _scope: Scope) -> Result:
    return EmptyResult()


def _tools_list(server: Server, request: Request, _scope: Scope) -> Result:
    tools = [definition.tool for definition in _advertised(server.tools, request).values()]
    items, cursor = page(tools, _cursor(request), server.page_size, "tools")
    return ListToolsResult(tools=items, next_cursor=cursor)


def _tools_call(server: Server, request: Request, scope: Scope) -> Call:
    _advertised(server.tools, request)
    params = params_as(request, _CallToolParams)
    definition = server.tools.get(params.name)
    if definition is None:
        raise McpError(INVALID_PARAMS, f"Unknown tool: {params.name!r}")
    try:
        keywords = definition.arguments.parse(params.arguments)
    except InvalidArguments as problem:
        raise ToolRefused(params.name, str(problem)) from None
    output = definition.output
    return _call(
        server,
        request,
        scope,
        Call(
            "tool",
            params.name,
            definition.handler,
            keywords,
            lambda value: tool_result(value, output),
        ),
    )


def _resources_list(server: Server, request: Request, _scope: Scope) -> Result:
    _advertised(server.resources or server.templates, request)
    resources = [definition.resource for definition in server.resources.values()]
    items, cursor = page(resources, _cursor(request), server.page_size, "resources")
    return ListResourcesResult(resources=items, next_cursor=cursor)


def _templates_list(server: Server, request: Request, _scope: Scope) -> Result:
    _advertised(server.resources or server.templates, request)
    templates = [definition.template for definition in server.templates.values()]
    items, cursor = page(templates, _cursor(request), server.page_size, "templates")
    return ListResourceTemplatesResult(resource_templates=items, next_cursor=cursor)


def _resources_read(server: Server, request: Request, scope: Scope) -> Call:
    _advertised(server.resources or server.templates, request)
    uri = params_as(request, ReadResourceParams).uri
    call = _resource_call(server, uri)
    if call is None:
        raise resource_not_found(uri, scope.era)
    return _call(server, request, scope, call)


def _resource_call(server: Server, uri: str) -> Call | None:
    """The call that reads `uri`: a fixed resource first, then the templates as defined."""
    fixed = server.resources.get(uri)
    if fixed is not None:
        mime_type = fixed.resource.mime_type
        return Call(
            "resource",
            uri,
            fixed.handler,
            {},
            lambda value: resource_result(value, uri, mime_type),
            uri=uri,
        )
    for text, family in server.templates.items():
        values = family.pattern.match(uri)
        if values is None:
            continue
        try:
            keywords = family.arguments.parse(values)
        except InvalidArguments:
            continue
        mime_type = family.template.mime_type
        return Call(
            "resource",
            text,
            family.handler,
            keywords,
            lambda value, mime_type=mime_type: resource_result(value, uri, mime_type),  # type: ignore[misc]
            uri=uri,
        )
    return None


def _prompts_list(server: Server, request: Request, _scope: Scope) -> Result:
    prompts = [definition.prompt for definition in _advertised(server.prompts, request).values()]
    items, cursor = page(prompts, _cursor(request), server.page_size, "prompts")
    return ListPromptsResult(prompts=items, next_cursor=cursor)


def _prompts_get(server: Server, request: Request, scope: Scope) -> Call:
    _advertised(server.prompts, request)
    params = params_as(request, GetPromptParams)
    definition = server.prompts.get(params.name)
    if definition is None:
        raise McpError(INVALID_PARAMS, f"Unknown prompt: {params.name!r}")
    try:
        keywords = definition.arguments.parse(params.arguments)
    except InvalidArguments as problem:
        raise McpError(
            INVALID_PARAMS, f"Invalid arguments for prompt {params.name!r}: {problem}"
        ) from None
    description = definition.prompt.description
    return _call(
        server,
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


def _complete(server: Server, request: Request, scope: Scope) -> Result | Call:
    _advertised(server.completions, request)
    params = params_as(request, CompleteParams)
    try:
        definition = server.find_completion(params)
    except KeyError as missing:
        raise McpError(
            INVALID_PARAMS, f"Cannot complete for {missing.args[0]!r}: no such prompt or template"
        ) from None
    if definition is None:
        return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
    given = dict(params.context.arguments) if params.context else {}
    values = (params.argument.value, given)
    return _call(
        server,
        request,
        scope,
        Call(
            "completion",
            f"{definition.ref} {definition.argument}",
            definition.handler,
            {
                parameter.name: value
                for parameter, value in zip(definition.handler.parameters, values, strict=False)
            },
            completion_result,
        ),
    )


def _call(server: Server, request: Request, scope: Scope, call: Call) -> Call:
    """The same call, with its `Context` if the handler wants one."""
    name = call.handler.context_name
    if name is not None:
        token = read_progress_token(request)
        call.context = call.keywords[name] = Context(scope, request.id, token, server.name)
    return call


def _advertised(definitions: dict[Any, Any], request: Request) -> dict[Any, Any]:
    if not definitions:
        raise method_not_found(request.method)
    return definitions


def _cursor(request: Request) -> str | None:
    return params_as(request, PaginatedParams).cursor


_Method = Callable[[Server, Request, Scope], Result | Call]

_IN_BOTH: dict[str, _Method] = {
    "tools/list": _tools_list,
    "tools/call": _tools_call,
    "resources/list": _resources_list,
    "resources/templates/list": _templates_list,
    "resources/read": _resources_read,
    "prompts/list": _prompts_list,
    "prompts/get": _prompts_get,
    "completion/complete": _complete,
}
_METHODS: Mapping[Era, Mapping[str, _Method]] = {
    "legacy": {**_IN_BOTH, "initialize": _initialize, "ping": _ping},
    "modern": {**_IN_BOTH, "server/discover": _discover},
}
