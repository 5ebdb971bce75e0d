"""`Server.resource`: a function becomes the source of a resource, or of a family of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from erlmcp_py.protocol.content import Annotations
from erlmcp_py.protocol.resources import Resource, ResourceTemplate
from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.server.definition.checks import checked_annotations, function_name, refuse_bare
from erlmcp_py.server.definition.definitions import Definitions, F
from erlmcp_py.server.definition.entries import ListingDef, ResourceDef, TemplateDef
from erlmcp_py.server.definition.options import (
    DEFAULT_TIMEOUT,
    Options,
    running,
    shown,
    spelled_out,
    with_defaults,
)
from erlmcp_py.server.listings import read_listing
from erlmcp_py.server.schema import TextArguments, shapes_of, text_arguments_of
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.uri import UriTemplate, check_uri, compile_template, is_template


class Resources(Definitions):
    """The part of a `Server` that defines resources, their templates and lists of them."""

    @spelled_out
    def resource(
        self,
        uri: str,
        *,
        name: str | None = None,
        mime_type: str | None = None,
        size: int | None = None,
        annotations: Annotations | None = None,
        cache: CacheHint | None = None,
        any_path: bool = False,
        **options: Unpack[Options],
    ) -> Callable[[F], F]:
        """Make the decorated function the source of the resource at `uri`.

        A URI with variables, `weather://{city}/current`, is a template (RFC 6570); each variable is
        then a parameter of the function, converted to its hint. size: in bytes, if it is known. cache:
        how long clients may keep the contents; as the server says unless given. any_path: what stands
        for ``{+path}`` may be absolute and lead upwards with ``..``; otherwise such a URI is unknown.
        The other options are those of `tool`.
        """
        if not isinstance(uri, str):
            raise TypeError("write @server.resource('scheme://...'): the URI is required")
        given = with_defaults("resource", options)

        def define(function: F) -> F:
            handler = self._handler(function, **running(given))
            if cache is not None and not isinstance(cache, CacheHint):
                raise TypeError(f"{handler.where}: cache must be a CacheHint, not {cache!r}")
            members = {
                "name": name or function_name(handler),
                "mime_type": mime_type,
                "annotations": checked_annotations(annotations, handler.where),
                **shown(given, handler),
            }
            if is_template(uri):
                if size is not None:
                    raise TypeError(
                        f"{handler.where}: the resources of the template {uri!r} have no common size"
                    )
                family = _template(handler, uri, members, cache, any_path=any_path)
                self._enter("templates", uri, family)
            else:
                self._enter("resources", uri, _resource(handler, uri, members, cache, size))
            return function

        return define

    def resource_list(
        self, name: str | None = None, *, timeout: float = DEFAULT_TIMEOUT
    ) -> Callable[[F], F]:
        """Let the decorated generator function list resources, behind those that are defined.

        It yields `Resource`s, and is read no further than the page needs that a client asks for. It is
        called again for every page; with a parameter ``after: str | None`` it is told the URI of the
        last resource on the page before, and goes on behind it. What reads them is another matter: a
        template, as a rule.
        """
        refuse_bare("resource_list", name)

        def define(function: F) -> F:
            handler = read_listing(function, timeout=timeout)
            key = getattr(function, "__name__", repr(function)) if name is None else name
            self._enter("listings", key, ListingDef(handler))
            return function

        return define

    def remove_resource(self, uri: str) -> None:
        """Offer a resource, or a template, no more. KeyError if there is none of that URI."""
        self._take_out("templates" if uri in self.templates else "resources", uri)

    def offers(self, uri: str) -> bool:
        """Whether a resource, or a template that fits, is there for `uri`."""
        return uri in self.resources or any(
            family.keywords_for(uri) is not None for family in self.templates.values()
        )


def _template(
    handler: Handler,
    uri: str,
    members: Mapping[str, Any],
    cache: CacheHint | None,
    *,
    any_path: bool,
) -> TemplateDef:
    pattern = _compiled(uri, handler, any_path=any_path)
    arguments = text_arguments_of(handler, pattern.variables)
    _check_variables(pattern, arguments, handler)
    template = ResourceTemplate(uri_template=uri, **members)
    return TemplateDef(template, pattern, handler, arguments, cache)


def _resource(
    handler: Handler,
    uri: str,
    members: Mapping[str, Any],
    cache: CacheHint | None,
    size: int | None,
) -> ResourceDef:
    _check_fixed(uri, handler)
    if size is not None and (type(size) is not int or size < 0):
        raise ValueError(f"{handler.where}: size must be a number of bytes, not {size!r}")
    return ResourceDef(Resource(uri=uri, size=size, **members), handler, cache)


def _compiled(uri: str, handler: Handler, *, any_path: bool) -> UriTemplate:
    lists, dicts = shapes_of(handler)
    try:
        return compile_template(uri, lists=lists, dicts=dicts, any_path=any_path)
    except ValueError as error:
        raise ValueError(f"{handler.where}: {error}") from None


def _check_fixed(uri: str, handler: Handler) -> None:
    try:
        check_uri(uri)
    except ValueError as error:
        raise ValueError(f"{handler.where}: {error}") from None
    if handler.parameters:
        names = ", ".join(parameter.name for parameter in handler.parameters)
        raise TypeError(
            f"{handler.where}: the resource {uri!r} has no variables, but its handler takes {names}"
        )


def _check_variables(pattern: UriTemplate, arguments: TextArguments, handler: Handler) -> None:
    unknown = [name for name in pattern.variables if name not in arguments.names]
    missing = [name for name in arguments.names if name not in pattern.variables]
    if unknown:
        raise TypeError(
            f"{handler.where}: {pattern.text!r}: the handler has no parameter {unknown[0]!r}"
        )
    if missing and missing[0] in arguments.required:
        raise TypeError(
            f"{handler.where}: parameter {missing[0]!r} is no variable of {pattern.text!r}"
        )
