"""Questions between revisions: read as one of them has it, put and answered as another does."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec import Raw

import supervisors
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.elicitation import ElicitParams
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    McpError,
    mismatch,
    refused,
)
from erlmcp_py.protocol.input import InputRequest, method_of, read_input
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.versions import LATEST
from erlmcp_py.server.interaction.capability import lacking
from erlmcp_py.server.scope import Scope
from erlmcp_py.sessions.asks import Ask, Send, Withdraw
from supervisors import CallExit, format_reason

PATIENCE: Final = 600.0
"""Seconds that a user may take for an answer."""

METHODS: Final = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})
"""What clients can be asked."""


def read_question(method: str, params: Any) -> InputRequest:
    """A request of an older upstream. Raises McpError: -32601 if no client can be asked that, -32602 if
    it cannot be read.
    """
    if method not in METHODS:
        raise McpError(METHOD_NOT_FOUND, f"Method not found: {method}")
    try:
        question: InputRequest = msgspec.convert({"method": method, "params": params}, InputRequest)
    except (ValueError, RecursionError) as problem:
        raise McpError(INVALID_PARAMS, f"{method}: {mismatch(problem, 'params')}") from None
    return question


def answer_for(answer: Raw, method: str, version: str) -> Any:
    """A client's answer as that revision has it: as it came, if nothing has to change. Raises McpError
    if it is none.
    """
    read = read_input(answer, method)
    fitted = fit(read, version)
    return answer if fitted is read else fitted


async def ask(
    scope: Scope, method: str, params: Raw | None, ticket: object, *, send: Send | None
) -> Raw:
    """Put a question to a client of the legacy era. ticket: by which it is withdrawn. send: None if it
    belongs to no request. Raises McpError.
    """
    if scope.peer is None:
        raise McpError(METHOD_NOT_FOUND, f"Method not found: {method} (the client cannot be asked)")
    question = Ask(supervisors.self(), ticket, method, params, send)
    try:
        kind, value = await supervisors.call(scope.peer, question, PATIENCE)
    except CallExit as problem:
        supervisors.cast(scope.peer, Withdraw(ticket, "nobody waits for the answer any more"))
        raise McpError(INTERNAL_ERROR, f"{method}: {format_reason(problem.cause)}") from None
    except BaseException:
        supervisors.cast(scope.peer, Withdraw(ticket, "the answer is not needed any more"))
        raise
    if kind == "result":
        return Raw(value)
    if kind == "error":
        raise McpError(value.code, value.message, value.data)
    raise McpError(INTERNAL_ERROR, f"{method}: the client cannot be asked: {value}")


async def ask_for(question: InputRequest, scope: Scope) -> Any:
    """The answer of a client of the older revisions to what an upstream of 2026-07-28 asks. Raises McpError."""
    method, params = method_of(question), question.params
    if lacking(question, scope.client_capabilities, scope.version):
        text = f"the upstream asks for {method}, which this client has not declared"
        raise refused(refusals.MISSING_FIELD, text)
    if isinstance(params, ElicitParams) and params.mode == "url" and params.elicitation_id is None:
        params = msgspec.structs.replace(params, elicitation_id=uuid4().hex)
    put = None if params is None else raw(fit(params, scope.version))
    return answer_for(await ask(scope, method, put, object(), send=scope.send), method, LATEST)
