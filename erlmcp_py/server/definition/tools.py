"""`Server.tool`: a function becomes a tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import msgspec

from erlmcp_py.protocol.headers import MirroredParameter, mirrored_parameters
from erlmcp_py.protocol.tools import Tool, ToolAnnotations, ToolExecution
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.definition.checks import checked_name, function_name, refuse_bare
from erlmcp_py.server.definition.definitions import Definitions, F
from erlmcp_py.server.definition.entries import ToolDef
from erlmcp_py.server.definition.options import Options, running, shown, spelled_out, with_defaults
from erlmcp_py.server.results import is_content_hint
from erlmcp_py.server.schema import Output, arguments_of, output_of
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.tasks.policy import TaskPolicy, TaskSupport, checked_policy
from erlmcp_py.server.verbatim import given_arguments, given_output


class Tools(Definitions):
    """The part of a `Server` that defines tools."""

    @spelled_out
    def tool(
        self,
        name: str | None = None,
        *,
        input_schema: Json | None = None,
        output_schema: Json | None = None,
        annotations: ToolAnnotations | None = None,
        task: TaskSupport | TaskPolicy | None = None,
        **options: Unpack[Options],
    ) -> Callable[[F], F]:
        """Make the decorated function a tool, named after it unless `name` is given.

        Arguments come from the signature, texts from the docstring, the output schema from the
        return hint. A plain function runs in the server process and must be quick; one that blocks
        says `isolation="thread"`, one that computes for long `isolation="process"`; one that waits is
        `async`. `timeout` in seconds applies to all but the first. TypeError or ValueError if the
        definition cannot work.

        max_concurrency: calls that run at a time, any number unless given ("process": as many as
        there are processors); max_waiting: calls beyond these that wait in order. More are refused.

        input_schema, output_schema: JSON Schemas (2020-12) in the place of those made of the hints;
        they are kept as they are. The function takes the properties of the input schema as
        parameters, or what it does not name as ``**arguments: Any``.

        task: "optional", a call runs as a task where the client can have that, or "required", it does
        or is refused; `TaskPolicy` says more. A task has its ttl instead of the timeout.
        """
        refuse_bare("tool", name)
        given = with_defaults("tool", options)

        def define(function: F) -> F:
            handler = self._handler(function, others=input_schema is not None, **running(given))
            key = checked_name(
                function_name(handler) if name is None else name, handler.where, "tool"
            )
            if annotations is not None and not isinstance(annotations, ToolAnnotations):
                raise TypeError(
                    f"{handler.where}: annotations must be ToolAnnotations, not {annotations!r}"
                )
            if input_schema is None:
                arguments = arguments_of(handler)
            else:
                arguments = given_arguments(input_schema, handler)
            output = _output(output_schema, handler)
            policy = checked_policy(task, handler)
            tool = Tool(
                name=key,
                input_schema=arguments.schema,
                output_schema=output.schema if output else None,
                annotations=annotations,
                execution=None if policy is None else ToolExecution(policy.support),
                **shown(given, handler),
            )
            mirrored = _mirrored(arguments.schema, handler.where)
            definition = ToolDef(
                tool, _legacy(tool, output), handler, arguments, output, mirrored, policy
            )
            self._enter("tools", key, definition)
            return function

        return define

    def remove_tool(self, name: str) -> None:
        """Offer a tool no more; calls that run go on. KeyError if there is none of that name."""
        self._take_out("tools", name)


def _output(schema: Json | None, handler: Handler) -> Output | None:
    if schema is not None:
        return given_output(schema, handler)
    return None if is_content_hint(handler.returns) else output_of(handler)


def _legacy(tool: Tool, output: Output | None) -> Tool:
    """The tool as clients of the older revisions are shown it."""
    if output is None or output.legacy_schema is output.schema:
        return tool
    return msgspec.structs.replace(tool, output_schema=output.legacy_schema)


def _mirrored(schema: dict[str, Any], where: str) -> tuple[MirroredParameter, ...]:
    try:
        return mirrored_parameters(schema)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
