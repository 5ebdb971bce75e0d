"""Which way a call can ask its client, and the answer that asks for input."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from erlmcp_py.protocol.input import INPUT_METHODS, InputRequiredResult
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.peer import PeerQuestions
from erlmcp_py.server.interaction.question import Interaction
from erlmcp_py.server.interaction.rounds import Carried, InputRequired, Rounds
from erlmcp_py.server.interaction.seal import bind
from erlmcp_py.server.scope import Scope

LIFETIME: Final = 600.0
"""Seconds that a client may take for a round."""

PATIENCE: Final = 600.0
"""Seconds that a handler waits for one answer of a client in the older revisions."""

_encode: Final = msgspec.json.Encoder().encode
_encode_sorted: Final = msgspec.json.Encoder(order="sorted").encode
_carried: Final = msgspec.json.Decoder(Carried).decode


class _RoundParams(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    request_state: str | None = None
    input_responses: dict[str, msgspec.Raw] | None = None


class _Rest(msgspec.Struct, frozen=True):
    """The members that make a request the same request in every round."""

    name: Any = None
    uri: Any = None
    arguments: Any = None


def interaction_of(host: Host, request: Request, scope: Scope) -> Interaction | None:
    """How the handler of this request can ask; None if it cannot: it is of a method that may not,
    or nobody brings a request of ours to this client.

    Raises McpError -32602 if the request comes with a state that is not ours, or too late.
    """
    if scope.era == "legacy":
        if scope.peer is None:
            return None
        return PeerQuestions(host.pid, scope.peer, scope.send, scope.version, PATIENCE)
    if request.method not in INPUT_METHODS:
        return None
    params = params_as(request, _RoundParams)
    carried = Carried()
    if params.request_state is not None:
        binding = binding_of(host.name, request, scope)
        carried = _carried(host.sealer.open(params.request_state, binding, host.clock()))
    return Rounds(carried, params.input_responses or {})


def input_required(
    host: Host, request: Request, scope: Scope, rounds: Rounds, signal: InputRequired
) -> InputRequiredResult:
    """The answer to a request whose handler needs input: the questions, and the sealed state."""
    state = host.sealer.seal(
        _encode(rounds.carry()), binding_of(host.name, request, scope), host.clock() + LIFETIME
    )
    requests = {key: question.request for key, question in signal.questions.items()}
    return InputRequiredResult(input_requests=requests, request_state=state)


def binding_of(server: str, request: Request, scope: Scope) -> bytes:
    """Who asks what of which server: a state is good for that and nothing else."""
    rest = params_as(request, _Rest)
    return bind(scope.principal, server, request.method, _encode_sorted(rest))
