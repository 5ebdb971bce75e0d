"""`resources/list`, `resources/templates/list` and `resources/read`."""

from __future__ import annotations

from functools import partial

from erlmcp_py.protocol.errors import resource_not_found
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.resources import (
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceParams,
)
from erlmcp_py.protocol.shape import NOT_CACHED, CacheHint
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.caching import with_hint
from erlmcp_py.server.call import Call, with_context
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import advertised, cursor_of
from erlmcp_py.server.methods.table import Methods, in_both
from erlmcp_py.server.pagination import page
from erlmcp_py.server.results import resource_result
from erlmcp_py.server.schema import InvalidArguments
from erlmcp_py.server.scope import Scope


def _resources_list(host: Host, request: Request, _scope: Scope) -> Result:
    advertised(host.server.resources or host.server.templates, request)
    resources = [definition.resource for definition in host.server.resources.values()]
    items, cursor = page(resources, cursor_of(request), host.server.page_size, "resources")
    hint = host.server.cache["resources/list"]
    return with_hint(ListResourcesResult(resources=items, next_cursor=cursor), hint)


def _templates_list(host: Host, request: Request, _scope: Scope) -> Result:
    advertised(host.server.resources or host.server.templates, request)
    templates = [definition.template for definition in host.server.templates.values()]
    items, cursor = page(templates, cursor_of(request), host.server.page_size, "templates")
    hint = host.server.cache["resources/templates/list"]
    return with_hint(
        ListResourceTemplatesResult(resource_templates=items, next_cursor=cursor), hint
    )


def _resources_read(host: Host, request: Request, scope: Scope) -> Call:
    advertised(host.server.resources or host.server.templates, request)
    params = params_as(request, ReadResourceParams)
    uri = params.uri
    # What was read with the help of a client's answers is good for this request only.
    retried = params.input_responses is not None or params.request_state is not None
    call = _resource_call(host, uri, NOT_CACHED if retried else None)
    if call is None:
        raise resource_not_found(uri, scope.era)
    return with_context(host, request, scope, call)


def _resource_call(host: Host, uri: str, cache: CacheHint | None) -> Call | None:
    """The call that reads `uri`: a fixed resource first, then the templates as defined.

    cache: how long the contents may be kept, if not as long as their definition says.
    """
    of_server = host.server.cache["resources/read"]
    fixed = host.server.resources.get(uri)
    if fixed is not None:
        mime_type = fixed.resource.mime_type
        hint = cache or fixed.cache or of_server
        return Call(
            "resource",
            uri,
            fixed.handler,
            {},
            partial(resource_result, uri=uri, mime_type=mime_type, cache=hint),
            uri=uri,
        )
    for text, family in host.server.templates.items():
        values = family.pattern.match(uri)
        if values is None:
            continue
        try:
            keywords = family.arguments.parse(values)
        except InvalidArguments:
            continue
        mime_type = family.template.mime_type
        hint = cache or family.cache or of_server
        return Call(
            "resource",
            text,
            family.handler,
            keywords,
            partial(resource_result, uri=uri, mime_type=mime_type, cache=hint),
            uri=uri,
        )
    return None


METHODS: Methods = in_both(
    {
        "resources/list": _resources_list,
        "resources/templates/list": _templates_list,
        "resources/read": _resources_read,
    }
)
