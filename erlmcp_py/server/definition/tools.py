"""A function becomes a tool."""

from __future__ import annotations

from typing import Any

import msgspec

from erlmcp_py.protocol.headers import MirroredParameter, mirrored_parameters
from erlmcp_py.protocol.tools import Tool, ToolAnnotations, ToolExecution
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.definition.checks import Icons, checked_icons, checked_meta
from erlmcp_py.server.definition.entries import ToolDef
from erlmcp_py.server.results import is_content_hint
from erlmcp_py.server.schema import Output, arguments_of, output_of
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.tasks.policy import TaskPolicy, TaskSupport, checked_policy
from erlmcp_py.server.verbatim import given_arguments, given_output


def define_tool(
    handler: Handler,
    name: str,
    *,
    title: str | None,
    description: str | None,
    input_schema: Json | None,
    output_schema: Json | None,
    annotations: ToolAnnotations | None,
    icons: Icons | None,
    meta: Json | None,
    task: TaskSupport | TaskPolicy | None = None,
) -> ToolDef:
    """The entry of a tool; see `Server.tool`."""
    where = handler.where
    if annotations is not None and not isinstance(annotations, ToolAnnotations):
        raise TypeError(f"{where}: annotations must be ToolAnnotations, not {annotations!r}")
    if input_schema is None:
        arguments = arguments_of(handler)
    else:
        arguments = given_arguments(input_schema, handler)
    output = _output(output_schema, handler)
    policy = checked_policy(task, handler)
    tool = Tool(
        name=name,
        input_schema=arguments.schema,
        title=title,
        description=description or handler.description or None,
        output_schema=output.schema if output else None,
        annotations=annotations,
        icons=checked_icons(icons, where),
        meta=checked_meta(meta, where),
        execution=None if policy is None else ToolExecution(policy.support),
    )
    legacy = tool
    if output is not None and output.legacy_schema is not output.schema:
        legacy = msgspec.structs.replace(tool, output_schema=output.legacy_schema)
    return ToolDef(
        tool, legacy, handler, arguments, output, _mirrored(arguments.schema, where), policy
    )


def _output(schema: Json | None, handler: Handler) -> Output | None:
    if schema is not None:
        return given_output(schema, handler)
    return None if is_content_hint(handler.returns) else output_of(handler)


def _mirrored(schema: dict[str, Any], where: str) -> tuple[MirroredParameter, ...]:
    try:
        return mirrored_parameters(schema)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
