"""From what went wrong in a handler to what its caller is told, on one line.

A failing tool is a result with `isError`, because the model that called it can read the text and do
something else; there is no such result for resources, prompts and completions, so their failures
are JSON-RPC errors (MCP, tools: error handling).
"""

from __future__ import annotations

from typing import Any

from erlmcp_py.protocol.errors import McpError, refused, resource_not_found
from erlmcp_py.protocol.refusals import INTERNAL_ERROR, TIMEOUT, TOO_MANY_AT_ONCE, Refusal
from erlmcp_py.protocol.versions import Era
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.errors import ResourceNotFound, ToolError
from erlmcp_py.server.results import tool_failure
from supervisors import format_reason

_LIMIT = 500
_MEANT = (ToolError, ResourceNotFound, McpError)


def is_meant(error: BaseException) -> bool:
    """Whether a handler raised this on purpose, as an answer."""
    return isinstance(error, _MEANT)


def answer_to(error: Exception, call: Call, era: Era) -> Result | McpError:
    """The answer to a call whose handler raised one of the exceptions meant as answers."""
    if isinstance(error, McpError):
        return error
    if isinstance(error, ResourceNotFound) and call.uri is not None:
        return resource_not_found(call.uri, era)
    return _failed(call, _line(error), INTERNAL_ERROR)


def crashed(call: Call, reason: Any) -> Result | McpError:
    """The answer to a call that crashed; `reason` is an exception or a process's exit reason."""
    return _failed(call, f"{_subject(call)} crashed: {describe_reason(reason)}", INTERNAL_ERROR)


def timed_out(call: Call) -> Result | McpError:
    """The answer to a call that took longer than its handler may."""
    text = f"{_subject(call)} timed out after {call.handler.timeout:g} s"
    return _failed(call, text, TIMEOUT)


def busy(call: Call) -> Result | McpError:
    """The answer to a call beyond those that may run and wait."""
    handler = call.handler
    return _failed(
        call,
        f"{_subject(call)} is busy: {handler.max_concurrency} calls run and {handler.max_waiting} "
        "wait; try again later",
        TOO_MANY_AT_ONCE,
    )


def describe_reason(reason: Any) -> str:
    """One line: `ValueError: text` of an exception, OTP's words for other exit reasons."""
    if isinstance(reason, tuple) and reason and isinstance(reason[0], BaseException):
        reason = reason[0]
    while isinstance(reason, BaseExceptionGroup) and len(reason.exceptions) == 1:
        reason = reason.exceptions[0]
    if isinstance(reason, BaseException):
        text = _line(reason)
        kind = type(reason).__name__
        return f"{kind}: {text}" if text else kind
    return _shorten(format_reason(reason))


def _failed(call: Call, text: str, entry: Refusal) -> Result | McpError:
    return (
        tool_failure(text)
        if call.kind == "tool"
        else refused(entry, text, code=INTERNAL_ERROR.error)
    )


def _subject(call: Call) -> str:
    return f"{call.kind.capitalize()} {call.uri or call.name!r}"


def _line(error: BaseException) -> str:
    return _shorten(str(error))


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LIMIT else f"{flat[: _LIMIT - 1]}…"
