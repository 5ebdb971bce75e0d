"""What a program answers when a server asks its client: elicitation, sampling, roots.

In the legacy era these come as requests, in the modern one inside a result (`protocol.input`); a handler
sees no difference.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from erlmcp_py.client.defaults import with_defaults
from erlmcp_py.protocol.elicitation import ELICIT, ElicitParams, ElicitResult
from erlmcp_py.protocol.errors import INVALID_PARAMS, METHOD_NOT_FOUND, McpError, mismatch
from erlmcp_py.protocol.extensions.tasks import TASKS
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    ElicitationCapability,
    RootsCapability,
    SamplingCapability,
)
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.roots import LIST_ROOTS, ListRootsResult, Root
from erlmcp_py.protocol.sampling import CREATE_MESSAGE, CreateMessageParams, CreateMessageResult
from erlmcp_py.protocol.wire import Json, Wire

if TYPE_CHECKING:
    from erlmcp_py.server.validation import Validator

T = TypeVar("T")

Elicit = Callable[
    [ElicitParams], ElicitResult | Json | Awaitable[ElicitResult | Json | None] | None
]
"""Asks the user. For a form: an `ElicitResult`, the fields (which means accept), or None (decline).
For a URL: whether the user went there, as an `ElicitResult`, or `{}` for accept, None for decline."""
Sample = Callable[[CreateMessageParams], CreateMessageResult | Awaitable[CreateMessageResult]]
"""Asks a model."""
Roots = Sequence[Root | str] | Callable[[], Sequence[Root | str] | Awaitable[Sequence[Root | str]]]
"""Directories and files the server may work on, or who knows them."""


class Answerer(Protocol):
    """Answers all questions of a server, for a program that passes them on."""

    def capabilities(self) -> ClientCapabilities:
        """What the client declares."""

    async def answer(self, method: str, params: Any, version: str) -> Any:
        """The result of a question, a Struct or raw JSON. Raises McpError to refuse."""


class Handlers(msgspec.Struct, frozen=True, kw_only=True):
    """None: the client does not say that it can be asked that.

    sample_tools: whether `sample` understands `tools` in its parameters. tasks: whether the client says
    that results may be tasks (extension of 2026-07-28).
    """

    elicit: Elicit | None = None
    sample: Sample | None = None
    sample_tools: bool = False
    roots: Roots | None = None
    tasks: bool = False

    def capabilities(self) -> ClientCapabilities:
        """What the client declares."""
        sampling = SamplingCapability(tools={} if self.sample_tools else None)
        return ClientCapabilities(
            elicitation=None if self.elicit is None else ElicitationCapability(form={}, url={}),
            sampling=None if self.sample is None else sampling,
            roots=None if self.roots is None else RootsCapability(list_changed=True),
            extensions={TASKS: {}} if self.tasks else None,
        )

    async def answer(self, method: str, params: Any, version: str) -> Wire:
        """The result of a question. params: a Struct, or a JSON object as it came.

        Raises McpError: nobody here answers such a question, or it is malformed. What a handler
        raises is its own.
        """
        if method == ELICIT and self.elicit is not None:
            asked = _read(params, ElicitParams, method)
            fits = _form(asked)
            return _elicited(asked, await _result_of(self.elicit(asked)), fits)
        if method == CREATE_MESSAGE and self.sample is not None:
            wanted = _read(params, CreateMessageParams, method)
            if not self.sample_tools and (wanted.tools, wanted.tool_choice) != (None, None):
                raise McpError(INVALID_PARAMS, f"{method}: sampling.tools has not been declared")
            return fit(await _result_of(self.sample(wanted)), version)
        if method == LIST_ROOTS and self.roots is not None:
            roots = await _result_of(self.roots()) if callable(self.roots) else self.roots
            listed = [Root(root) if isinstance(root, str) else root for root in roots]
            return fit(ListRootsResult(roots=listed), version)
        raise McpError(METHOD_NOT_FOUND, f"Method not found: {method} (this client does not do it)")


async def _result_of(value: T | Awaitable[T]) -> T:
    return await value if isawaitable(value) else value


def _read(params: Any, type: type[T], method: str) -> T:
    if isinstance(params, type):
        return params
    try:
        return msgspec.convert(params, type)
    except (ValueError, RecursionError) as problem:
        raise McpError(INVALID_PARAMS, f"{method}: {mismatch(problem, 'params')}") from None


def _form(asked: ElicitParams) -> Validator | None:
    """What an answer has to match. Raises McpError if no answer could."""
    if asked.requested_schema is None:
        return None
    from erlmcp_py.server.validation import compile_schema  # heavy, and few clients are asked

    try:
        return compile_schema(asked.requested_schema, f"{ELICIT}: requestedSchema")
    except ValueError as problem:
        raise McpError(INVALID_PARAMS, str(problem)) from None


def _elicited(
    asked: ElicitParams, answer: ElicitResult | Json | None, fits: Validator | None
) -> ElicitResult:
    """Raises ValueError if it is not what the form wants."""
    if answer is None:
        return ElicitResult(action="decline")
    if not isinstance(answer, ElicitResult):
        answer = ElicitResult(action="accept", content=answer)
    if answer.action != "accept" or asked.requested_schema is None:
        return msgspec.structs.replace(answer, content=None)
    content = with_defaults(asked.requested_schema, answer.content or {})
    wrong = None if fits is None else fits.first_error(content)
    if wrong is not None:
        raise ValueError(f"the answer is not what the form wants: {wrong}")
    return msgspec.structs.replace(answer, content=content)
