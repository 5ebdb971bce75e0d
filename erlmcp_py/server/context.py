"""What a handler can say to its caller while it works, and ask of it.

A handler that wants it declares a parameter of type `Context`; it is no argument of the call and
does not appear in the schema. `report_progress` and `log` are plain functions and may be called from plain, `async`
and thread handlers alike: on another thread they hop to the trio thread and wait for the hop, so
notifications leave in the order in which they were made.

To ask is to wait, so it takes an `async` handler (a thread can say `trio.from_thread.run(ctx.roots)`).
In the older revisions the handler does wait. In 2026-07-28 the request ends there and is continued by
another one: the handler runs again, and finds the answers (`interaction.rounds`). It does not notice,
as long as it asks the same things in the same order; what must not be done twice belongs in `once`.

After the call has ended nothing more is sent (MCP: progress notifications MUST stop). A thread that
was given up, because its call timed out or was cancelled, learns of it here: its next notification
raises `CallEnded`, which ends the useless work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, get_args

import trio

from erlmcp_py.protocol.elicitation import ElicitationCompleteParams
from erlmcp_py.protocol.errors import missing_capability
from erlmcp_py.protocol.jsonrpc import Notification, RequestId, notification
from erlmcp_py.protocol.lifecycle import ClientCapabilities, Implementation, LogLevel
from erlmcp_py.protocol.methods import find_notification
from erlmcp_py.protocol.notifications import (
    ELICITATION_COMPLETE,
    MESSAGE,
    PROGRESS,
    LoggingMessageParams,
    ProgressParams,
    ProgressToken,
)
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.roots import Root
from erlmcp_py.protocol.sampling import SamplingMessage
from erlmcp_py.server.errors import CallEnded
from erlmcp_py.server.interaction.asking import Asking, Elicit, ElicitUrl, Roots, Sample, Sampled
from erlmcp_py.server.interaction.capability import lacking
from erlmcp_py.server.interaction.question import Interaction, Question, Refused
from erlmcp_py.server.interaction.rounds import BecomesTask
from erlmcp_py.server.scope import Scope

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    S = TypeVarWithDefault("S", default=Any)
else:
    S = TypeVar("S")

_SEVERITY: Final = {level: rank for rank, level in enumerate(get_args(LogLevel))}
_LEGACY_DEFAULT_LEVEL: Final = "info"


class Task(Protocol):
    """What a context knows of the task it belongs to."""

    id: str

    def say(self, message: str) -> None:
        """Tell how far it is."""


class Context(Generic[S]):
    """The circumstances of one call, and its way back to the client.

    ``Context[Database]`` says what `state` is.
    """

    __slots__ = (
        "_asked", "_open", "_progress", "_request_id", "_scope", "_server_name", "_state", "_task",
        "_token", "becomes_task", "interaction",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        request_id: RequestId,
        token: ProgressToken | None,
        server_name: str,
        interaction: Interaction | None = None,
        task: Task | None = None,
        state: Any = None,
    ) -> None:
        self._state = state
        self._scope = scope
        self._request_id = request_id
        self._token = token
        self._server_name = server_name
        self._progress = -math.inf
        self._open = True
        self._asked: dict[str, int] = {}
        self._task = task
        self.becomes_task = False
        """Whether `begin_task` makes a task of the call."""
        self.interaction = interaction

    @property
    def state(self) -> S:
        """What the lifespan of the server has yielded; the same object in every call."""
        if self._state is None:
            raise LookupError("the server has no lifespan, or it yields nothing")
        return self._state  # type: ignore[no-any-return]

    @property
    def request_id(self) -> RequestId:
        """The id the client gave to this request; unique only together with its connection."""
        return self._request_id

    @property
    def protocol_version(self) -> str:
        """The MCP revision this call follows, for example "2026-07-28"."""
        return self._scope.version

    @property
    def client_info(self) -> Implementation | None:
        """Name and version of the client program, if it told them."""
        return self._scope.client_info

    @property
    def client_capabilities(self) -> ClientCapabilities | None:
        """What the client declared it can be asked for."""
        return self._scope.client_capabilities

    @property
    def principal(self) -> str | None:
        """The authenticated caller, None where the transport does not authenticate."""
        return self._scope.principal

    @property
    def task_id(self) -> str | None:
        """The id of the task that this call has become; None of a call that is none."""
        return None if self._task is None else self._task.id

    async def begin_task(self) -> bool:
        """From here on the call is a task, if it can be one; whether it is.

        For tools with ``TaskPolicy(asks_first=True)``. The handler then runs again from its beginning,
        in the task, where every question that was answered has its answer at once, and `once` its
        result.
        """
        if self._task is None and self.becomes_task:
            raise BecomesTask
        return self._task is not None

    def status(self, message: str) -> None:
        """Say in a few words what the task is doing; those who look at it read that. Of a call that is
        no task nobody is told.
        """
        if self._task is not None and self._open:
            _on_the_loop(self._task.say, message)

    def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell the client how far the call is; nothing is sent unless it asked for progress. Of a task
        it becomes the status.

        `progress` is in any unit and must be greater with each report (MCP, progress); `total` is
        the value at the end, if known. ValueError if `progress` does not grow or is not finite.
        """
        if not math.isfinite(progress) or (total is not None and not math.isfinite(total)):
            raise ValueError(f"progress {progress!r} of {total!r}: both must be finite numbers")
        if progress <= self._progress:
            raise ValueError(
                f"progress must grow with each report: {progress!r} after {self._progress!r}"
            )
        self._progress = progress
        self.status(message or f"{progress:g}" + ("" if total is None else f" of {total:g}"))
        if self._token is not None:
            params = ProgressParams(
                progress_token=self._token, progress=progress, total=total, message=message
            )
            self._send(notification(PROGRESS, fit(params, self._scope.version)))

    def log(self, level: LogLevel, data: Any, logger: str | None = None) -> None:
        """Send a log message to the client, if it wants this level.

        `data` is any JSON value; `logger` is named after the server unless given. The wanted level
        is the session's (legacy; "info" until the client sets one) or the request's own (modern;
        none means no log messages at all). ValueError on an unknown level.
        """
        rank = _SEVERITY.get(level)
        if rank is None:
            raise ValueError(f"unknown log level {level!r}; use one of {', '.join(_SEVERITY)}")
        wanted = self._scope.log_level
        if wanted is None:
            if self._scope.era == "modern":
                return
            wanted = _LEGACY_DEFAULT_LEVEL
        if rank >= _SEVERITY[wanted]:
            params = LoggingMessageParams(
                level=level, data=data, logger=logger or self._server_name
            )
            self._send(notification(MESSAGE, params))

    async def elicit(
        self, form: type[T] | dict[str, Any], message: str | None = None, *, key: str | None = None
    ) -> T:
        """Have the user fill in a form; the answer is an instance of it (of a schema: a dict).

        form: a Struct, dataclass or TypedDict of strings, numbers, booleans and choices, or a JSON
        Schema of that shape. message: what the user reads, the form's docstring unless given. key:
        names the question between rounds; give one where questions may change their order.
        `Refused` if the user declines. TypeError or ValueError if no client can show such a form.
        """
        return await self._one("elicit", Elicit(form, message), key)  # type: ignore[no-any-return]

    async def elicit_url(
        self, url: str, message: str, *, elicitation_id: str | None = None, key: str | None = None
    ) -> None:
        """Send the user to a page, for what must not pass through the client.

        Returns when the user has agreed to go, which is before they are through there. `Refused` if
        they do not. elicitation_id: by which the server may later say that it is done (2025-11-25).
        """
        await self._one("elicit", ElicitUrl(url, message, elicitation_id), key)

    def elicitation_complete(self, elicitation_id: str) -> None:
        """Tell the client that the user is through with the page of that elicitation.

        Nothing is sent to clients of revisions other than 2025-11-25, which alone know of it.
        """
        if find_notification(ELICITATION_COMPLETE, self._scope.version) is not None:
            params = ElicitationCompleteParams(elicitation_id=elicitation_id)
            self._send(notification(ELICITATION_COMPLETE, params))

    async def sample(
        self, messages: str | Sequence[SamplingMessage], *, key: str | None = None, **options: Any
    ) -> Sampled:
        """Have the client's model say something; `.text` is what it said.

        options: as `Sample` has them: max_tokens (1000), system_prompt, temperature, stop_sequences,
        model_preferences, tools, tool_choice, include_context, metadata.
        """
        return await self._one("sample", Sample(messages=messages, **options), key)  # type: ignore[no-any-return]

    async def roots(self, *, key: str | None = None) -> list[Root]:
        """The directories and files that the client wants the server to work on."""
        return await self._one("roots", Roots(), key)  # type: ignore[no-any-return]

    async def ask(self, **questions: Asking) -> dict[str, Any]:
        """Several questions at once, by their keys; the answers by the same keys.

        In 2026-07-28 they take one round together. `Refused` by the first one that is refused.
        """
        asked = {key: asking.question() for key, asking in questions.items()}
        interaction = self._able()
        for question in asked.values():
            self._check_capable(question)
        return await interaction.ask(asked)

    def can(self, asking: Asking) -> bool:
        """Whether this client can be asked that."""
        if self.interaction is None:
            return False
        return not self._lacking(asking.question())

    async def once(self, key: str, step: Callable[[], Any]) -> Any:
        """The result of `step`, run once for this request however many rounds it takes.

        step: a function or coroutine function without arguments. Its result must have a JSON form,
        and is handed back as JSON knows it.
        """
        return await self._able().once(key, step)

    async def _one(self, kind: str, asking: Asking, key: str | None) -> Any:
        if key is None:
            number = self._asked[kind] = self._asked.get(kind, 0) + 1
            key = f"{kind}-{number}"
        return (await self.ask(**{key: asking}))[key]

    def _able(self) -> Interaction:
        if self.interaction is None:
            raise Refused(
                "error",
                "this client cannot be asked: the call has no way back to it, or its handler "
                "is neither async nor in a thread",
            )
        return self.interaction

    def _lacking(self, question: Question) -> dict[str, Any]:
        scope = self._scope
        return lacking(question.request, scope.client_capabilities, scope.version)

    def _check_capable(self, question: Question) -> None:
        missing = self._lacking(question)
        if not missing:
            return
        if self._scope.era == "modern":
            raise missing_capability(missing)
        raise Refused(
            "error",
            f"the client cannot do {question.method}: in {self._scope.version} it has declared no "
            f"{', '.join(missing)}",
        )

    def close_stream(self, retry: float = 1.0) -> bool:
        """Let go of the client's connection in a long call; it comes back for the rest.

        retry: seconds it is asked to wait until then. What the handler sends meanwhile is kept. False
        if this is not possible: it is a matter of 2025-11-25 over HTTP, and elsewhere nothing happens.
        ValueError if `retry` is negative or not finite.
        """
        if not (math.isfinite(retry) and retry >= 0):
            raise ValueError(f"retry must be a number of seconds from 0 on, not {retry!r}")
        close = self._scope.close_stream
        if close is None or not self._open:
            return False
        _on_the_loop(close, retry)
        return True

    def close(self) -> None:
        """The call has ended; from now on nothing is sent."""
        self._open = False

    def _send(self, message: Notification) -> None:
        if trio.lowlevel.in_trio_run():
            self._deliver(message)
        else:
            trio.from_thread.run_sync(self._deliver, message)
            if not self._open:
                raise CallEnded(f"the call {self._request_id!r} has ended; nobody waits for it")

    def _deliver(self, message: Notification) -> None:
        if self._open:
            self._scope.notify(message)


def _on_the_loop(function: Callable[[T], object], argument: T) -> None:
    if trio.lowlevel.in_trio_run():
        function(argument)
    else:
        trio.from_thread.run_sync(function, argument)
