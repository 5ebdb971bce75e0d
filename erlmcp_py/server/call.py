"""A handler that is to be called for a request, with all that its answer needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from erlmcp_py.protocol.jsonrpc import Request
from erlmcp_py.protocol.meta import read_progress_token
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.context import Context
from erlmcp_py.server.gate import Gate
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.rounding import interaction_of
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.tasks.policy import TaskWish
from erlmcp_py.server.workers.pool import Workers

Kind = Literal["tool", "resource", "prompt", "completion", "task", "skill"]


class Call(msgspec.Struct):
    """A handler to call for a request."""

    kind: Kind
    name: str
    """The tool or prompt, the URI of the resource or of the template it comes from."""
    handler: Handler
    keywords: dict[str, Any]
    finish: Callable[[Any], Result]
    """Makes the answer of what the handler returned; `BadResult` if that is impossible."""
    context: Context | None = None
    state: Any = None
    """Of the lifespan that its handler shares."""
    gate: Gate | None = None
    """Where it waits for its turn; None: it need not."""
    workers: Workers | None = None
    """For handlers in processes of the operating system."""
    uri: str | None = None
    """The URI that was asked for, if the call reads a resource."""
    task: TaskWish | None = None
    """Whether it is to become a task."""


class ToolRefused(Exception):
    """A tool's arguments are invalid: a result with `isError`, so that the model can try again
    (MCP 2025-11-25 and later, tools: error handling).
    """

    def __init__(self, tool: str, problem: str) -> None:
        super().__init__(f"Invalid arguments for tool {tool!r}: {problem}")
        self.tool = tool


def with_context(host: Host, request: Request, scope: Scope, call: Call) -> Call:
    """The same call, with its `Context` if the handler wants one.

    Raises McpError -32602 if the request continues an earlier one with a state that is not ours.
    """
    handler = call.handler
    if handler.max_concurrency is not None:
        call.gate = host.gates.of(handler)
        call.workers = host.workers
    name = handler.context_name
    if name is not None:
        token = read_progress_token(request)
        interaction = None
        if handler.mode != "inline":
            interaction = interaction_of(host, request, scope)
        call.state = host.states.get(handler.home)
        call.context = call.keywords[name] = Context(
            scope, request.id, token, host.server.name, interaction, state=call.state
        )
    return call
