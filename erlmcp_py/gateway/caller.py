"""The client of a request at an upstream: what it is told of it, and what it can be asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import trio

from erlmcp_py.gateway.asking import answer_for, ask, read_question
from erlmcp_py.gateway.pages import Pages
from erlmcp_py.protocol.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, McpError
from erlmcp_py.protocol.input import ElicitRequest, InputRequest, method_of
from erlmcp_py.protocol.jsonrpc import Notification, notification, raw
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    LogLevel,
)
from erlmcp_py.protocol.meta import RELATED_TASK
from erlmcp_py.protocol.notifications import (
    MESSAGE,
    PROGRESS,
    LoggingMessageParams,
    ProgressParams,
    ProgressToken,
)
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.roots import LIST_ROOTS
from erlmcp_py.server.interaction.capability import lacking
from erlmcp_py.server.scope import Scope
from erlmcp_py.sessions.asks import Send, Withdraw
from supervisors import CallExit, call, cast

LEVELS: Final[tuple[LogLevel, ...]] = (
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency",
)  # fmt: skip


class AboutTask(msgspec.Struct, frozen=True):
    """The task of a request. id: the upstream's. shown: the client's name for it. number: of the instance
    that has it. program: see `Instance`.
    """

    id: str
    shown: str
    number: int
    program: str = ""


class Caller:
    """The client of a request at an upstream: the `Answerer` of what comes on that request's own stream.

    token: by which the client wants progress. task: that the request is about. pages: where elicitations by
    URL are noted.
    """

    def __init__(
        self,
        scope: Scope,
        token: ProgressToken | None = None,
        task: AboutTask | None = None,
    ) -> None:
        self.scope = scope
        self.token = token
        self.client: object = scope.session or scope.client or scope.key
        self.task = task
        self.waits_for: str | None = None
        """What the upstream calls a task of which the client knows nothing: the gateway waits for it."""
        self.pages: Pages | None = None
        self.open: dict[object, trio.CancelScope] = {}
        """Questions that have no answer yet, by their tickets."""
        self.heir: Caller | None = None
        """Another request of this client, to which the open ones belong since this one has ended."""
        self.lacks: dict[str, Any] = {}
        """Capabilities that the client would have needed to be asked."""
        self.send: Send | None = scope.send
        self.on_question: Callable[[], object] = _unnoticed
        """Called when the upstream asks something, for whose answer people may take their time."""
        self._has_asked = False

    def takes(self, method: str) -> bool:  # noqa: ARG002 -- others do not take everything
        """Whether what has this method may be for this request."""
        return True

    def tell(self, message: Notification) -> None:
        """Send the client a notification, on the stream of its request."""
        self.scope.notify(message)

    def progressed(self, params: ProgressParams) -> None:
        """The upstream is so far."""
        if self.token is not None:
            told = msgspec.structs.replace(params, progress_token=self.token, meta=None)
            self.tell(notification(PROGRESS, fit(told, self.scope.version)))

    def logged(self, params: LoggingMessageParams) -> None:
        """Hand a log line on, if the client wants lines of its level."""
        scope = self.scope
        level = scope.log_level or ("info" if scope.era == "legacy" else None)
        if level is not None and LEVELS.index(params.level) >= LEVELS.index(level):
            self.tell(notification(MESSAGE, msgspec.structs.replace(params, meta=None)))

    def capabilities(self) -> ClientCapabilities:
        """What the client can be asked for."""
        return self.scope.client_capabilities or ClientCapabilities()

    async def answer(self, method: str, params: Any, version: str) -> Any:
        """The client's answer to a question of an older upstream, as the upstream's revision has it.
        Raises McpError if there is none.
        """
        self.on_question()
        params = self._named(params)
        question = read_question(method, params)
        scope = self.scope
        if missing := lacking(question, scope.client_capabilities, scope.version):
            self.lacks |= missing
            raise cannot_be_asked(method)
        if self.pages is not None and isinstance(question, ElicitRequest):
            self.pages.asked(question.params, scope)
        return await self.put(question, params, version)

    async def put(self, question: InputRequest, params: Any, version: str) -> Any:
        """Ask the client what it can be asked. params: of the question, as they came."""
        method, scope = method_of(question), self.scope
        if scope.era == "modern":
            raise cannot_be_asked(method)  # by no answer to this method, or it declares nothing
        if scope.version != version and question.params is not None:
            params = fit(question.params, scope.version)
        ticket = object()
        with trio.CancelScope() as asking:
            self.open[ticket] = asking
            self._has_asked = True
            try:
                answer = await ask(scope, method, raw(params), ticket, send=self.send)
            finally:
                holder: Caller | None = self
                while holder is not None:
                    holder.open.pop(ticket, None)
                    holder = holder.heir
            return answer if scope.version == version else answer_for(answer, method, version)
        raise McpError(INTERNAL_ERROR, f"{method}: the request it belongs to has ended")

    def take_back(self) -> None:
        """Nobody wants the answers any more."""
        for ticket, asking in self.open.items():
            asking.cancel()
            if self.scope.peer is not None:
                cast(self.scope.peer, Withdraw(ticket, "the request it belongs to has ended"))

    async def settled(self) -> None:
        """Wait until what was asked and taken back has gone out, which is before the answer goes."""
        session = self.scope.session
        if self._has_asked and session is not None:
            # What the upstream took back just before it answered is being killed in this turn.
            await trio.lowlevel.checkpoint()
            with suppress(CallExit):  # without it nobody needs to know
                await call(session, ("view",))

    def _named(self, params: Any) -> Any:
        """With the client's name of the task, where the question has the upstream's; without it, if the
        client knows of none.
        """
        meta = params.get("_meta") if isinstance(params, dict) else None
        if not isinstance(meta, dict) or RELATED_TASK not in meta:
            return params
        if self.task is not None:
            return {**params, "_meta": {**meta, RELATED_TASK: {"taskId": self.task.shown}}}
        kept = {key: value for key, value in meta.items() if key != RELATED_TASK}
        return {**params, "_meta": kept}


def _unnoticed() -> None:
    """Nobody wants to know that something is asked."""


def cannot_be_asked(method: str) -> McpError:
    """What an upstream is told that asks what its client cannot be asked."""
    return McpError(METHOD_NOT_FOUND, f"Method not found: {method} (the client cannot be asked)")


class NewRoots(Caller):
    """A client that has said that its roots have changed: it can be asked for them, and nothing else."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.send = None
        self.again = True
        self.asked, self.answered = trio.Event(), trio.Event()

    def takes(self, method: str) -> bool:
        """See `Caller`."""
        return method == LIST_ROOTS

    async def answer(self, method: str, params: Any, version: str) -> Any:
        """See `Caller`."""
        self.asked.set()
        try:
            return await super().answer(method, params, version)
        finally:
            self.answered.set()
