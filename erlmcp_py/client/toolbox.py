"""What a client knows of a server's tools: what of their arguments goes into headers, and what their
results have to look like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from erlmcp_py.client.errors import InvalidOutput
from erlmcp_py.client.inbox import report
from erlmcp_py.protocol.headers import MirroredParameter, mirrored_parameters, parameter_headers
from erlmcp_py.protocol.tools import CallToolResult, Tool

if TYPE_CHECKING:
    from erlmcp_py.server.validation import Validator

MAX_TOOLS = 10_000
"""Tools of one server that are remembered."""


class _Known(msgspec.Struct):
    mirrored: tuple[MirroredParameter, ...]
    output: Mapping[str, Any] | None
    validator: Validator | None = None


class Toolbox:
    """Of one client."""

    def __init__(self) -> None:
        self._tools: dict[str, _Known] = {}

    def learn(self, tools: Iterable[Tool], *, mirrors: bool) -> list[Tool]:
        """Note them; those a client may show. mirrors: whether arguments go into headers (HTTP of
        2026-07-28): a tool that marks what cannot be mirrored is left out then, and reported.
        """
        shown = []
        for tool in tools:
            mirrored: tuple[MirroredParameter, ...] = ()
            if mirrors:
                try:
                    mirrored = mirrored_parameters(tool.input_schema)
                except (ValueError, RecursionError) as problem:
                    report(f"the tool {tool.name!r} is left out", str(problem))
                    continue
            if len(self._tools) < MAX_TOOLS or tool.name in self._tools:
                self._tools[tool.name] = _Known(mirrored, tool.output_schema)
            shown.append(tool)
        return shown

    def knows(self, name: str) -> bool:
        """Whether it was listed."""
        return name in self._tools

    def forget(self) -> None:
        """Another server may answer now, or its tools have changed."""
        self._tools.clear()

    def headers(self, name: str, arguments: Mapping[str, Any]) -> dict[str, bytes] | None:
        """The headers that repeat arguments; None if there are none."""
        known = self._tools.get(name)
        if known is None or not known.mirrored:
            return None
        return parameter_headers(known.mirrored, dict(arguments))

    def check(self, name: str, result: CallToolResult) -> None:
        """Raises InvalidOutput if the tool promised another structure than this."""
        known = self._tools.get(name)
        if known is None or known.output is None or result.is_error:
            return
        if known.validator is None:
            from erlmcp_py.server.validation import compile_schema

            try:
                known.validator = compile_schema(known.output, f"outputSchema of {name}")
            except ValueError as problem:
                raise InvalidOutput(f"the result of {name} cannot be checked: {problem}") from None
        if result.structured_content is UNSET:
            raise InvalidOutput(f"{name} has an output schema, but its result has no structure")
        wrong = known.validator.first_error(result.structured_content)
        if wrong is not None:
            raise InvalidOutput(f"the result of {name} does not match its output schema: {wrong}")
