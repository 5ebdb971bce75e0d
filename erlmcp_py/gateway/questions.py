"""What an upstream says or asks while it works for clients of ours, brought to the client it is for.

Over HTTP an older upstream says and asks on the stream of the request it is about. Elsewhere, and on the
stream that is of no request, it does not tell which one it means. As long as all that it works on is for
one client, that client is meant; otherwise nobody is told, because a log line or a question of one user
must not reach another. What is asked for a task names it, and is for whoever waits for that task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from erlmcp_py.gateway.caller import Caller, NewRoots
from erlmcp_py.gateway.pages import Pages
from erlmcp_py.gateway.tasks import TaskNews
from erlmcp_py.protocol.elicitation import ElicitationCompleteParams
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError
from erlmcp_py.protocol.jsonrpc import Notification, params_as, raw
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    ElicitationCapability,
    RootsCapability,
    SamplingCapability,
)
from erlmcp_py.protocol.meta import RELATED_TASK
from erlmcp_py.protocol.notifications import (
    ELICITATION_COMPLETE,
    MESSAGE,
    TASK_STATUS,
    LoggingMessageParams,
)
from erlmcp_py.server.scope import Scope
from erlmcp_py.telemetry.log import log

SETTLING: Final = 5.0
"""Seconds in which an upstream that was told of new roots may ask for them."""
_OURS: Final = frozenset({"server/discover", "initialize"})
"""What no server asks."""
_SHOWN: Final = 500
"""Characters of a log line that was for nobody."""


class Questions:
    """The `Answerer` of one connection to an upstream, for what is of no request in particular.

    pages: the elicitations by URL whose end it may tell. tasks: those whose changes it may tell. unheard:
    log lines that were for nobody. on_echo: called when it asks what only a client asks.
    """

    def __init__(self, upstream: str, on_echo: Callable[[], object] = lambda: None) -> None:
        self._on_echo = on_echo
        self._upstream = upstream
        self._callers: dict[Caller, None] = {}
        self._movers: dict[object, NewRoots] = {}
        self.pages = Pages()
        self.tasks = TaskNews()
        self.unheard = 0

    def begin(self, caller: Caller) -> None:
        """A request of this client is under way."""
        caller.pages = self.pages
        self._callers[caller] = None

    def end(self, caller: Caller) -> None:
        """It has its answer. What is still asked may be for another request of the client."""
        del self._callers[caller]
        if not caller.open:
            return
        for other in self._callers:
            if other.client == caller.client:
                other.open |= caller.open
                caller.heir = other
                return
        caller.take_back()

    def logged(self, params: LoggingMessageParams) -> None:
        """Hand a log line on, to its client or, if nobody knows whom it is for, to the node's log."""
        caller = self._only(MESSAGE)
        if caller is not None:
            caller.logged(params)
            return
        self.unheard += 1
        text = params.data if isinstance(params.data, str) else bytes(raw(params.data)).decode()
        log("debug", f"{self._upstream}: {params.level}: {text[:_SHOWN]}")

    def noticed(self, message: Notification) -> None:
        """Any notification of the upstream: some are for a client whose request has ended."""
        try:
            if message.method == ELICITATION_COMPLETE:
                self.pages.done(params_as(message, ElicitationCompleteParams).elicitation_id)
            elif message.method == TASK_STATUS:
                self.tasks.heard(message)
        except (McpError, ValueError) as problem:
            log("info", f"{self._upstream}: {message.method} cannot be read: {problem}")

    def capabilities(self) -> ClientCapabilities:
        """What clients of ours may be able to do; one that is not is asked nothing."""
        return ClientCapabilities(
            elicitation=ElicitationCapability(form={}, url={}),
            sampling=SamplingCapability(tools={}),
            roots=RootsCapability(list_changed=True),
        )

    async def answer(self, method: str, params: Any, version: str) -> Any:
        """The client's answer to a question of an older upstream. Raises McpError if there is none."""
        if method in _OURS:
            self._on_echo()
        task = _task_of(params)
        caller = self._only(method) if task is None else self._waiting_for(task)
        if caller is None:
            text = f"{method}: several clients are served, or none; nobody knows whom this is for"
            raise McpError(INTERNAL_ERROR, text)
        return await caller.answer(method, params, version)

    async def roots_changed(self, scope: Scope, tell: Callable[[], Awaitable[None]]) -> None:
        """A client's roots have changed: tell the upstream, and be there when it asks for them."""
        caller = NewRoots(scope)
        moving = self._movers.setdefault(caller.client, caller)
        moving.again = True
        if moving is not caller:
            return  # who tells of an earlier change tells of this one, too
        self.begin(caller)
        try:
            while caller.again:
                caller.again = False
                caller.asked, caller.answered = trio.Event(), trio.Event()
                await tell()
                with trio.move_on_after(SETTLING):
                    await caller.asked.wait()
                if caller.asked.is_set():
                    await caller.answered.wait()
        finally:
            self.end(caller)
            del self._movers[caller.client]

    def _only(self, method: str) -> Caller | None:
        """Any request of the only client there is, of those that this may be for."""
        found: Caller | None = None
        for caller in self._callers:
            if found is None:
                found = caller
            elif caller.client != found.client:
                return None
            elif caller.takes(method):
                found = caller
        return None if found is None or not found.takes(method) else found

    def _waiting_for(self, task: str) -> Caller | None:
        for caller in self._callers:
            if caller.waits_for == task or (caller.task is not None and caller.task.id == task):
                return caller
        return None


def _task_of(params: Any) -> str | None:
    """The task that a question says it belongs to."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    related = meta.get(RELATED_TASK) if isinstance(meta, dict) else None
    task = related.get("taskId") if isinstance(related, dict) else None
    return task if isinstance(task, str) else None
