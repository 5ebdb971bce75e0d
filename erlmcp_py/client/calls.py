"""Requests on their way: what a link needs to know of one, and the table of those without an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import trio
from msgspec import Raw

from erlmcp_py.protocol.jsonrpc import ErrorResponse, RequestId, Response
from erlmcp_py.protocol.lifecycle import LogLevel
from erlmcp_py.protocol.notifications import LoggingMessageParams, ProgressParams
from erlmcp_py.protocol.wire import Json

if TYPE_CHECKING:
    from erlmcp_py.client.handlers import Answerer

Answer = Response | ErrorResponse
OnProgress = Callable[[ProgressParams], object]
OnLog = Callable[[LoggingMessageParams], object]


class TimeIsUp(Exception):
    """A call has had its time."""


class Call:
    """One request. Its id is given anew whenever it is sent.

    params: without `_meta`, of which `meta` has what the caller wants there. headers: what HTTP repeats
    of the arguments. capabilities, log_level: instead of the client's own (modern era). on_log, answerer:
    instead of the client's own, for what comes on the stream of this request; only HTTP has such.
    """

    __slots__ = (
        "_held",
        "_task",
        "answer",
        "answerer",
        "capabilities",
        "deadline",
        "headers",
        "id",
        "latest",
        "log_level",
        "meta",
        "method",
        "note",
        "on_log",
        "on_progress",
        "params",
        "patience",
        "reading",
        "scope",
    )

    def __init__(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        meta: Json | None = None,
        on_progress: OnProgress | None = None,
        headers: Mapping[str, bytes] | None = None,
        capabilities: Raw | None = None,
        log_level: LogLevel | None = None,
        on_log: OnLog | None = None,
        answerer: Answerer | None = None,
    ) -> None:
        self.method = method
        self.params = params
        self.meta = meta
        self.on_progress = on_progress
        self.headers = headers
        self.capabilities = capabilities
        self.log_level = log_level
        self.on_log = on_log
        self.answerer = answerer
        self.id: RequestId = 0
        self.answer: Answer | BaseException | None = None
        self.patience = 0.0
        self.latest = math.inf
        """When it is given up, however much progress is reported."""
        self.scope: trio.CancelScope | None = None
        """Ends when its time is up; None: its link sees to that, by its `deadline`."""
        self.deadline = math.inf
        self.note: Callable[[float], object] = _unnoted
        """Tells the link that keeps its time of another deadline."""
        self.reading: trio.CancelScope | None = None
        """Ends when its answer has come on another way than the one that is read for it."""
        self._held = 0
        self._task: trio.lowlevel.Task | None = None

    def progressed(self, params: ProgressParams) -> None:
        """The server works on it: it gets its time once more."""
        self._begin_anew()
        if self.on_progress is not None:
            self.on_progress(params)

    def hold(self) -> None:
        """The server waits for an answer of ours, and may need it for this: its time stands still."""
        self._held += 1
        self._begin_anew()

    def release(self) -> None:
        """The server has its answer."""
        self._held -= 1
        self._begin_anew()

    def _begin_anew(self) -> None:
        patience = math.inf if self._held else self.patience
        deadline = min(trio.current_time() + patience, self.latest)
        if self.scope is not None:
            self.scope.deadline = deadline
        elif self.deadline < math.inf:
            self.deadline = deadline
            self.note(deadline)

    def settle(self, answer: Answer | BaseException) -> None:
        """Wake whoever waits for it."""
        if self.answer is None:
            self.answer = answer
            if self._task is not None:
                trio.lowlevel.reschedule(self._task)
                self._task = None

    async def wait(self) -> Answer:
        """Its answer. Raises what it was settled with."""
        if self.answer is None:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        answer, self.answer = self.answer, None
        assert answer is not None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _abort(self, _raise_cancel: Any) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


def _unnoted(_deadline: float) -> None:
    """Nobody keeps its time."""


class InFlight:
    """The calls of one link, by id. strangers: answers to which there was no request (any more)."""

    __slots__ = ("_calls", "_serial", "strangers")

    def __init__(self) -> None:
        self._calls: dict[RequestId, Call] = {}
        self._serial = 0
        self.strangers = 0

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, call: Call) -> int:
        """Give it an id, which is its progress token as well."""
        self._serial += 1
        call.id = self._serial
        call.answer = None
        self._calls[self._serial] = call
        return self._serial

    def end(self, call: Call) -> bool:
        """Forget it; whether it was still without an answer."""
        return self._calls.pop(call.id, None) is not None

    def all(self) -> tuple[Call, ...]:
        """Those without an answer."""
        return tuple(self._calls.values())

    def knew(self, id: RequestId | None) -> bool:
        """Whether there was ever a call with this id."""
        return isinstance(id, int) and 0 < id <= self._serial

    def find(self, id: RequestId) -> Call | None:
        """The call with this id or progress token."""
        return self._calls.get(id)

    def answered(self, answer: Answer) -> bool:
        """Hand an answer to its call; False if there is none."""
        call = None if answer.id is None else self._calls.pop(answer.id, None)
        if call is None:
            self.strangers += 1
            return False
        call.settle(answer)
        return True

    def fail(self, make: Callable[[], BaseException]) -> None:
        """None of them will be answered."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.settle(make())
