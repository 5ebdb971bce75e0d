"""Requests of clients of 2026-07-28 at upstreams of the older revisions, in as many turns as it takes.

A question of the upstream becomes the answer `input_required`, while the call is parked. Error -32042 of
2025-11-25 does, too: there the call has ended, and is made again when the user has agreed to the pages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from erlmcp_py.client import Hello
from erlmcp_py.gateway.caller import Caller
from erlmcp_py.gateway.pages import pages_of
from erlmcp_py.gateway.parked import Answer, Parked, Passage, Ticket
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.elicitation import ELICIT, ElicitResult, at_url
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    URL_ELICITATION_REQUIRED,
    McpError,
    missing_capability,
    refused,
)
from erlmcp_py.protocol.input import (
    INPUT_METHODS,
    ElicitRequest,
    InputRequests,
    InputRequiredResult,
    read_input,
)
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Request, Response, raw
from erlmcp_py.protocol.meta import read_progress_token
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.server.interaction.capability import lacking
from erlmcp_py.server.interaction.rounding import binding_of
from erlmcp_py.server.scope import Scope
from supervisors import Pid

STATE: Final = "requestState"
ANSWERS: Final = "inputResponses"

_any = msgspec.json.Decoder().decode
_answers = msgspec.json.Decoder(dict[str, Raw]).decode


def takes_turns(hello: Hello, request: Request, scope: Scope) -> bool:
    """Whether the client is asked by answers, and the upstream asks by requests."""
    return hello.era == "legacy" and scope.era == "modern" and request.method in INPUT_METHODS


class Turns:
    """Of one request to one upstream. server: the name it came to; owner: its process. info: what the
    upstream calls itself.
    """

    def __init__(
        self, parked: Parked, server: str, owner: Pid, info: Any, request: Request, scope: Scope
    ) -> None:
        self._parked = parked
        self._info = None if info is None else raw(info)
        self._request = request
        self._scope = scope
        self._owner = owner
        self._what = f"{server}/{request.method}"
        self._binding = binding_of(server, request, scope)

    async def answer(
        self, params: dict[str, Any], travel: Callable[[Caller], Awaitable[Answer]]
    ) -> Answer:
        """What the client gets this time. travel: brings the call to the upstream. From `params` is taken
        what belongs to rounds. Raises McpError.
        """
        state, given = params.pop(STATE, None), _given(params.pop(ANSWERS, None))
        request, scope = self._request, self._scope
        if state is not None:
            ticket = self._parked.open(_text(state), self._binding)
            if ticket.passage:
                passage = self._parked.find(ticket)
                passage.resume(request, scope, given)
                return await self._next(passage)
            _check_agreed(given)
        if not _can_be_asked(scope):
            caller = Caller(scope, read_progress_token(request))
            return self._sent_to_pages(await travel(caller))
        passage = Passage(self._parked, request, scope, self._what)
        passage.start(partial(travel, passage), request.id, self._owner)
        return await self._next(passage)

    async def _next(self, passage: Passage) -> Answer:
        outcome = await passage.outcome(self._request.id)
        if isinstance(outcome, dict):
            answer = self._ask(outcome, Ticket(passage.id))
            passage.park()
            return answer
        return self._sent_to_pages(outcome)

    def _ask(self, questions: InputRequests, ticket: Ticket) -> Answer:
        state = self._parked.seal(ticket, self._binding)
        result = InputRequiredResult(input_requests=questions, request_state=state)
        scope = self._scope
        shaped = shape_result(result, scope.era, scope.version, server_info=self._info)
        return Response(self._request.id, shaped)

    def _sent_to_pages(self, answer: Answer) -> Answer:
        """2026-07-28 has no error for that."""
        if not isinstance(answer, ErrorResponse) or answer.error.code != URL_ELICITATION_REQUIRED:
            return answer
        questions: InputRequests = {
            page.elicitation_id or f"page-{number}": ElicitRequest(
                at_url(page.message, page.url or "")
            )
            for number, page in enumerate(pages_of(answer.error.data), 1)
        }
        if not questions:
            raise McpError(INTERNAL_ERROR, answer.error.message)
        for question in questions.values():
            missing = lacking(question, self._scope.client_capabilities, self._scope.version)
            if missing:
                raise missing_capability(missing)
        return self._ask(questions, Ticket())


def _can_be_asked(scope: Scope) -> bool:
    declared = scope.client_capabilities
    return declared is not None and not (
        declared.elicitation is None and declared.sampling is None and declared.roots is None
    )


def _text(state: Any) -> str:
    value = _any(state)
    if not isinstance(value, str):
        raise refused(refusals.TYPE_MISMATCH, f"params.{STATE} must be a string")
    return value


def _given(answers: Raw | None) -> Mapping[str, Raw]:
    if answers is None:
        return {}
    try:
        return _answers(answers)
    except ValueError:
        raise refused(refusals.TYPE_MISMATCH, f"params.{ANSWERS} must be an object") from None


def _check_agreed(answers: Mapping[str, Raw]) -> None:
    """Raises McpError if the user does not want to go to a page: then there is no way on."""
    for answer in answers.values():
        read = read_input(answer, ELICIT)
        if isinstance(read, ElicitResult) and read.action != "accept":
            text = f"the request needs the user at a web page; the answer was {read.action!r}"
            raise refused(refusals.MISSING_FIELD, text)
