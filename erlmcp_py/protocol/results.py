"""Reading results: what a client, or a server that asked, makes of a response."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError, mismatch
from erlmcp_py.protocol.extensions.tasks import CreateTaskResult
from erlmcp_py.protocol.input import INPUT_METHODS, InputRequiredResult
from erlmcp_py.protocol.jsonrpc import Response
from erlmcp_py.protocol.methods import Method
from erlmcp_py.protocol.versions import era_of
from erlmcp_py.protocol.wire import DECODERS

T = TypeVar("T")

_TASK_METHODS: Final = frozenset({"tools/call"})
"""Requests whose results may be tasks (Tasks extension)."""


class InvalidResult(McpError):
    """The peer answered with something that is no result of the request."""

    def __init__(self, message: str) -> None:
        super().__init__(INTERNAL_ERROR, message)


class _Kind(msgspec.Struct, frozen=True, gc=False):
    result_type: Any = msgspec.field(name="resultType", default="complete")


_kind = msgspec.json.Decoder(_Kind).decode


def result_as(response: Response, type: type[T], what: str = "the result") -> T:
    """The result of a decoded response as `type`. Raises InvalidResult naming path and mismatch;
    `what`: how the error calls it, such as the method.
    """
    try:
        return DECODERS[type].decode(response.result)  # type: ignore[no-any-return]
    except (ValueError, RecursionError) as problem:
        raise InvalidResult(f"{what}: {mismatch(problem, 'result')}") from None


def read_result(response: Response, method: Method, version: str, *, tasks: bool = False) -> Any:
    """The result of `method` from a peer of that revision: an instance of `method.result`, and from a
    modern one perhaps an `InputRequiredResult` or, if `tasks`, a `CreateTaskResult` of the extension.

    Raises InvalidResult for another shape, and for a `resultType` that means nothing here (MCP
    2026-07-28: an absent one is "complete", an unknown one makes the result invalid). A legacy request
    sent with `task` is answered with `tasks.CreateTaskResult`, which `result_as` reads.
    """
    if era_of(version) == "legacy" or method.result is msgspec.Raw:
        return result_as(response, method.result, method.name)
    kind = _kind(response.result).result_type
    if kind == "complete":
        return result_as(response, method.result, method.name)
    if kind == "input_required" and method.name in INPUT_METHODS:
        return result_as(response, InputRequiredResult, method.name)
    if kind == "task" and tasks and method.name in _TASK_METHODS:
        return result_as(response, CreateTaskResult, method.name)
    shown = msgspec.json.encode(kind).decode()[:40]
    raise InvalidResult(f"{method.name}: resultType {shown} is none that this request can have")
