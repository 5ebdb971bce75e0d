"""Multi-round-trip requests: what a modern server needs from its client to answer a request.

MCP 2026-07-28: a server sends no requests. It answers `tools/call`, `prompts/get` or `resources/read`
with an `InputRequiredResult`: the questions under keys of its own, and a `requestState` that the client
hands back unread. The client sends the request again, under a new id, with the answers under the same
keys.

An answer does not say what kind it is; the question with its key does. So answers stay raw in the
parameters, and `read_input` reads one when the question is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from erlmcp_py.protocol.elicitation import ELICIT, ElicitParams, ElicitResult
from erlmcp_py.protocol.errors import mismatch, params_entry, refused
from erlmcp_py.protocol.roots import LIST_ROOTS, ListRootsResult
from erlmcp_py.protocol.sampling import CREATE_MESSAGE, CreateMessageParams, CreateMessageResult
from erlmcp_py.protocol.wire import DECODERS, RequestParams, Result, Wire

INPUT_METHODS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The methods that may be answered with an `InputRequiredResult`."""


class CreateMessageRequest(Wire, frozen=True, tag_field="method", tag=CREATE_MESSAGE):
    """A question for the client's model."""

    params: CreateMessageParams


class ListRootsRequest(Wire, frozen=True, tag_field="method", tag=LIST_ROOTS):
    """A question for the client's roots."""

    params: RequestParams | None = None


class ElicitRequest(Wire, frozen=True, tag_field="method", tag=ELICIT):
    """A question for the user."""

    params: ElicitParams


InputRequest = CreateMessageRequest | ListRootsRequest | ElicitRequest
InputResponse = CreateMessageResult | ListRootsResult | ElicitResult
InputRequests = dict[str, InputRequest]
InputResponses = dict[str, msgspec.Raw]


class InputRequiredResult(Result, frozen=True):
    """The answer that asks: `input_requests`, `request_state`, or both."""

    # A factory, because a default as such would be left out of the encoded result.
    result_type: Literal["input_required"] = msgspec.field(default_factory=lambda: "input_required")
    input_requests: InputRequests | None = None
    request_state: str | None = None


_RESPONSES: Final[Mapping[str, type[InputResponse]]] = {
    CREATE_MESSAGE: CreateMessageResult,
    LIST_ROOTS: ListRootsResult,
    ELICIT: ElicitResult,
}


def method_of(request: InputRequest) -> str:
    """The method a question stands for, such as "roots/list"."""
    method = request.__struct_config__.tag
    assert isinstance(method, str)
    return method


def capability_of(request: InputRequest) -> dict[str, Any]:
    """The client capability without which this may not be asked, in the shape of ClientCapabilities:
    for example `{"elicitation": {"url": {}}}`.
    """
    if isinstance(request, ElicitRequest):
        return {"elicitation": {"url": {}} if request.params.mode == "url" else {}}
    if isinstance(request, ListRootsRequest):
        return {"roots": {}}
    return {"sampling": {} if request.params.tools is None else {"tools": {}}}


def read_input(response: msgspec.Raw, method: str) -> InputResponse:
    """The answer to a question of that method: one of the three of `InputResponse`.

    Raises McpError -32602 that says what does not fit; a server may as well ask again.
    """
    try:
        decoded: InputResponse = DECODERS[_RESPONSES[method]].decode(response)
    except (ValueError, RecursionError) as problem:
        text = f"This is no answer to {method}: {mismatch(problem, 'answer')}"
        raise refused(params_entry(problem), text) from None
    return decoded
