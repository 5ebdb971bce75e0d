"""`resources/list`, `resources/templates/list` and `resources/read`."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from msgspec import Raw
from msgspec.structs import replace

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
from erlmcp_py.server.listings import checked_entries
from erlmcp_py.server.methods.listing import Listing, advertised, cursor_to, listed, place_of
from erlmcp_py.server.methods.skills import skill_call
from erlmcp_py.server.methods.table import Methods, in_both
from erlmcp_py.server.pagination import Place
from erlmcp_py.server.results import resource_result
from erlmcp_py.server.scope import Scope

_RESOURCES: Final = Listing(
    "resources",
    "resources/list",
    lambda definition, _era: definition.resource,
    lambda items, cursor: ListResourcesResult(resources=items, next_cursor=cursor),
)
_TEMPLATES: Final = Listing(
    "templates",
    "resources/templates/list",
    lambda definition, _era: definition.template,
    lambda items, cursor: ListResourceTemplatesResult(resource_templates=items, next_cursor=cursor),
)


def _offered(host: Host, request: Request) -> None:
    server = host.server
    advertised(server.resources or server.templates or server.listings, request)


def _resources_list(host: Host, request: Request, scope: Scope) -> Raw | Call:
    _offered(host, request)
    place = place_of(host, request, "resources")
    server = host.server
    if not server.listings:
        return listed(host, scope, _RESOURCES, server.resources, place)
    if place.section == 0 and server.resources:
        return listed(host, scope, _RESOURCES, server.resources, place, behind=Place(section=1))
    return _listing_call(host, request, scope, place if place.section else Place(section=1))


def _listing_call(host: Host, request: Request, scope: Scope, place: Place) -> Raw | Call:
    """The call of a function that lists resources; its page may go on with the next function."""
    names = list(host.server.listings)
    if place.section > len(names):  # one of them is gone
        return listed(host, scope, _RESOURCES, {}, Place())
    name = names[place.section - 1]
    definition = host.server.listings[name]
    size = host.server.page_size
    further = len(names) > place.section

    def finish(value: Any) -> Result:
        # One entry more than a page tells whether there is a next one.
        entries = checked_entries(value)
        shown = entries[:size]
        then = None
        if len(entries) > size:
            then = Place(place.seen + size, place.section, shown[-1].uri)
        elif further:
            then = Place(section=place.section + 1)
        cursor = cursor_to(host, "resources", then)
        if definition.shown_as is not str:
            shown = [replace(entry, uri=definition.shown_as(entry.uri)) for entry in shown]
        result = ListResourcesResult(resources=shown, next_cursor=cursor)
        return with_hint(result, host.server.cache["resources/list"])

    keywords = {"seen": place.seen, "last": place.last, "size": size + 1}
    call = Call("resource", name, definition.handler, keywords, finish)
    return with_context(host, request, scope, call)


def _templates_list(host: Host, request: Request, scope: Scope) -> Raw:
    _offered(host, request)
    place = place_of(host, request, "templates")
    return listed(host, scope, _TEMPLATES, host.server.templates, place)


def _resources_read(host: Host, request: Request, scope: Scope) -> Call:
    _offered(host, request)
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
    skill = skill_call(host, uri, cache)
    if skill is not None:
        return skill
    for text, family in host.server.templates.items():
        keywords = family.keywords_for(uri)
        if keywords is None:
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
