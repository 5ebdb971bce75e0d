"""Calls of clients of 2026-07-28 at upstreams that ask as the older revisions do.

An older server asks by a request of its own and goes on with the answer. A client of 2026-07-28 is asked by
the answer to its request, which ends with that; the client's own answer comes with another request. So
such a call has a process of its own, a passage, and the requests of the client come and go: each waits
for what the passage has next, a question or the result. In between the call is parked: for so many seconds,
and among so many others. Is the client not back by then, the upstream is told that there is no answer, and
that the call is cancelled.

What the client carries is sealed, and of use for the same caller, server and request only.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import trio
from msgspec import Raw
from msgspec.structs import replace

from erlmcp_py.gateway.asking import answer_for
from erlmcp_py.gateway.caller import Caller
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.elicitation import ElicitResult
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError, refused
from erlmcp_py.protocol.input import ElicitRequest, InputRequest, InputRequests, method_of
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Notification,
    Request,
    RequestId,
    Response,
    error_response,
)
from erlmcp_py.protocol.meta import read_progress_token
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.scope import Scope
from erlmcp_py.telemetry.log import log
from supervisors import Pid, link, spawn_link

LIFETIME: Final = 600.0
"""Seconds that a client may take to come back with answers."""

_REMOVED: Final = "the upstream was removed from the configuration"

Answer = Response | ErrorResponse

_encode = msgspec.json.Encoder().encode


class Ticket(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client carries. passage: of the parked call; empty if nothing is parked, because the upstream
    wants the request again when the user has been at the pages it named.
    """

    passage: str = ""


_ticket = msgspec.json.Decoder(Ticket).decode


class Parked:
    """The calls at one upstream that have asked their client something. limit: how many may be there at
    once. wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        sealer: StateSealer,
        limit: Callable[[], int],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._sealer = sealer
        self._limit = limit
        self._wall_clock = wall_clock
        self._passages: dict[str, Passage] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._passages)

    def enter(self, passage: Passage) -> None:
        """Note a call that asks. Raises McpError for the upstream if there is no room."""
        if self._closed:
            raise McpError(INTERNAL_ERROR, f"the client cannot be asked: {_REMOVED}")
        if passage.id not in self._passages:
            limit = self._limit()
            if len(self._passages) >= limit:
                text = f"{limit} calls wait for their clients already"
                raise McpError(INTERNAL_ERROR, f"the client cannot be asked: {text}")
            self._passages[passage.id] = passage

    def leave(self, passage: Passage) -> None:
        """It has ended."""
        self._passages.pop(passage.id, None)

    def close(self) -> None:
        """The upstream is served no more, so no client can come back: what is parked ends, and nothing more
        is asked.
        """
        self._closed = True
        for passage in list(self._passages.values()):
            if not passage.attended:
                passage.give_up(_REMOVED)

    def seal(self, ticket: Ticket, binding: bytes) -> str:
        """What the client is to carry until its next request, which has this binding."""
        expires = self._wall_clock() + LIFETIME
        return self._sealer.seal(_encode(ticket), binding, expires)

    def open(self, state: str, binding: bytes) -> Ticket:
        """What a client has carried. Raises McpError -32602 if it is not ours, or too old."""
        return _ticket(self._sealer.open(state, binding, self._wall_clock()))

    def find(self, ticket: Ticket) -> Passage:
        """The call that the client comes back for. Raises McpError -32602 if there is none to continue."""
        passage = self._passages.get(ticket.passage)
        if passage is None:
            raise _ended()
        if passage.attended:
            text = "requestState is of a call that another request is continuing"
            raise refused(refusals.INVALID_PARAMS, text)
        return passage


class _Asked:
    """A question on its way. answer: as the upstream's revision has it, None if there will be none."""

    __slots__ = ("answer", "question", "settled", "version")

    def __init__(self, question: InputRequest, version: str) -> None:
        self.question = question
        self.version = version
        self.answer: Any = None
        self.settled = trio.Event()


class Passage(Caller):
    """One call, for as many requests of its client as it takes. attended: whether one waits now."""

    def __init__(self, parked: Parked, request: Request, scope: Scope, what: str) -> None:
        super().__init__(scope, read_progress_token(request))
        self.id = os.urandom(16).hex()
        self.attended = True
        self._parked = parked
        self._what = what
        self._pid: Pid | None = None
        self._asked: dict[str, _Asked] = {}
        self._serial = 0
        self._outcome: Answer | None = None
        self._news = trio.Event()
        self._taken = trio.Event()
        self._patience = trio.CancelScope()
        self._why = f"the client did not come back within {LIFETIME:g} s"

    # --- the process --------------------------------------------------------------------

    def start(
        self, travel: Callable[[], Awaitable[Answer]], request: RequestId, owner: Pid
    ) -> None:
        """Have `travel` bring the call to the upstream. It ends with the process that starts it, as long
        as that one waits, and with `owner`. request: id of an error.
        """
        self._pid = spawn_link(self._run, travel, request, owner, label=f"passage {self._what}")

    async def _run(
        self, travel: Callable[[], Awaitable[Answer]], request: RequestId, owner: Pid
    ) -> None:
        link(owner)
        try:
            with self._patience:
                try:
                    self._outcome = await travel()
                except McpError as error:
                    self._outcome = error_response(request, error)
                self._wake()
                await self._taken.wait()
            if self._patience.cancelled_caught:
                log("info", f"{self._what}: {self._why}")
        finally:
            self._parked.leave(self)
            for asked in self._asked.values():
                asked.settled.set()
            if self._outcome is None:  # a client that is just coming back need not wait
                self._outcome = error_response(request, _ended())
                self._wake()

    # --- for the upstream -----------------------------------------------------------------

    def tell(self, message: Notification) -> None:
        """See `Caller`; while it is parked there is nobody to hear it."""
        if self.attended:
            super().tell(message)

    async def put(self, question: InputRequest, params: Any, version: str) -> Any:  # noqa: ARG002
        """See `Caller`: the client's next request brings the answer."""
        self._parked.enter(self)
        self._serial += 1
        key = f"question-{self._serial}"
        asked = self._asked[key] = _Asked(question, version)
        self._wake()
        try:
            await asked.settled.wait()
        finally:
            self._asked.pop(key, None)
        if asked.answer is not None:
            return asked.answer
        if isinstance(question, ElicitRequest):
            return ElicitResult(action="cancel")
        text = "the client did not come back with an answer"
        raise McpError(INTERNAL_ERROR, f"{method_of(question)}: {text}")

    # --- for the client -------------------------------------------------------------------

    def resume(self, request: Request, scope: Scope, answers: Mapping[str, Raw]) -> None:
        """The client is back. What answers no question is passed over; what does not fit is asked again."""
        assert self._pid is not None
        link(self._pid)
        self.attended = True
        self.scope, self.token = scope, read_progress_token(request)
        self._patience.deadline = math.inf
        for key, asked in list(self._asked.items()):
            if key in answers:
                try:
                    method = method_of(asked.question)
                    asked.answer = answer_for(answers[key], method, asked.version)
                except McpError:
                    continue
                del self._asked[key]
                asked.settled.set()

    async def outcome(self, request: RequestId) -> Answer | InputRequests:
        """What comes next: the answer to this request, or questions."""
        while self._outcome is None and not self._asked:
            await self._news.wait()
        if self._outcome is None:
            version = self.scope.version
            return {key: fit(asked.question, version) for key, asked in self._asked.items()}
        self._taken.set()
        return replace(self._outcome, id=request)

    def park(self) -> None:
        """The client has been asked; its request ends."""
        self.attended = False
        self._patience.deadline = trio.current_time() + LIFETIME

    def give_up(self, why: str) -> None:
        """Nobody can come back."""
        self._why = why
        self._patience.cancel()

    def _wake(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()


def _ended() -> McpError:
    text = "requestState is of a call that has ended; send the request anew"
    return refused(refusals.INVALID_PARAMS, text)
