"""A function becomes the source of a resource, or of a family of them."""

from __future__ import annotations

from erlmcp_py.protocol.content import Annotations
from erlmcp_py.protocol.resources import Resource, ResourceTemplate
from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.definition.checks import (
    Icons,
    checked_annotations,
    checked_icons,
    checked_meta,
)
from erlmcp_py.server.definition.entries import ResourceDef, TemplateDef
from erlmcp_py.server.schema import TextArguments, shapes_of, text_arguments_of
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.uri import UriTemplate, check_uri, compile_template, is_template


def define_resource(
    handler: Handler,
    uri: str,
    *,
    name: str,
    title: str | None,
    description: str | None,
    mime_type: str | None,
    size: int | None,
    annotations: Annotations | None,
    icons: Icons | None,
    meta: Json | None,
    cache: CacheHint | None,
    any_path: bool = False,
) -> ResourceDef | TemplateDef:
    """The entry of a resource or, if the URI has variables, of a template; see `Server.resource`."""
    where = handler.where
    if cache is not None and not isinstance(cache, CacheHint):
        raise TypeError(f"{where}: cache must be a CacheHint, not {cache!r}")
    text = description or handler.description or None
    hints = checked_annotations(annotations, where)
    pictures = checked_icons(icons, where)
    more = checked_meta(meta, where)
    if is_template(uri):
        if size is not None:
            raise TypeError(f"{where}: the resources of the template {uri!r} have no common size")
        pattern = _compiled(uri, handler, any_path=any_path)
        arguments = text_arguments_of(handler, pattern.variables)
        _check_variables(pattern, arguments, handler)
        template = ResourceTemplate(
            uri_template=uri,
            name=name,
            title=title,
            description=text,
            mime_type=mime_type,
            annotations=hints,
            icons=pictures,
            meta=more,
        )
        return TemplateDef(template, pattern, handler, arguments, cache)
    _check_fixed(uri, handler)
    if size is not None and (type(size) is not int or size < 0):
        raise ValueError(f"{where}: size must be a number of bytes, not {size!r}")
    resource = Resource(
        uri=uri,
        name=name,
        title=title,
        description=text,
        mime_type=mime_type,
        size=size,
        annotations=hints,
        icons=pictures,
        meta=more,
    )
    return ResourceDef(resource, handler, cache)


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
