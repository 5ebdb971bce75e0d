"""Subscriptions: being told of changes, for longer than a connection lasts.

Each is a process below the client's supervisor. It asks for what is wanted and waits until that ends; after
a pause that grows it asks once more, and announces everything once. What nobody has taken yet waits as a set,
each change once, so a reader that is slow costs no memory and loses nothing but repetition.

WHY it does not end with what it has lost: its connection is lost with it, which is told where it is known
why; a crash for each subscription would tell the same once more. One that is lost while its server answers
is told when it cannot be begun anew, once for all subscriptions of a client.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, Self
from weakref import WeakSet

import msgspec
import trio

from erlmcp_py.client.calls import Call
from erlmcp_py.client.desk import Desk
from erlmcp_py.client.errors import ClientError, ConnectionLost, NotConnected
from erlmcp_py.client.inbox import Inbox, report
from erlmcp_py.client.link import Link
from erlmcp_py.client.tree import subscriptions_of
from erlmcp_py.client.where import Where, located
from erlmcp_py.protocol import notifications as names
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.extensions.tasks import DetailedTask
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Notification, params_as
from erlmcp_py.protocol.meta import read_subscription
from erlmcp_py.protocol.subscriptions import (
    LISTEN,
    ResourceUpdatedParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedParams,
)
from supervisors import (
    Backoff,
    CallExit,
    ChildSpec,
    Pid,
    SupervisorError,
    exit_signal,
    monitor,
    receive,
    spawn,
    spawn_link,
    start_child,
    terminate_child,
)

Kind = Literal["tools", "prompts", "resources", "resource", "task"]

MAX_WAITING: Final = 10_000
"""Changes that may wait to be taken; with more, the oldest are dropped."""
_ENDED: Final = "the client of this subscription has ended"
_PAUSE: Final = Backoff(first=0.2, factor=2.0, limit=60.0, jitter=0.5)
_UNSUBSCRIBE: Final = 2.0
"""Seconds to tell an older server that a resource is not watched any more."""
_LISTS: Final[dict[str, Kind]] = {
    names.TOOLS_CHANGED: "tools",
    names.PROMPTS_CHANGED: "prompts",
    names.RESOURCES_CHANGED: "resources",
}


class Change(msgspec.Struct, frozen=True):
    """kind: of which list, or "resource" (its `uri`, or one below it, may be read again) or "task"
    (`task` is its id; the last state of it that was told is `state`).
    """

    kind: Kind
    uri: str | None = None
    task: str | None = None
    state: DetailedTask | None = None


class Subscribing:
    """Makes the subscriptions of one client. where: its server."""

    def __init__(self, desk: Desk, inbox: Inbox, timeout: float, where: Where) -> None:
        self._desk = desk
        self._inbox = inbox
        self.timeout = timeout
        self._where = where
        self._deaf: WeakSet[Subscription] = WeakSet()

    def subscription(
        self,
        client: Pid,
        *,
        tools: bool,
        prompts: bool,
        resources: bool,
        uris: tuple[str, ...],
        task_ids: tuple[str, ...],
    ) -> Subscription:
        """See `Client.subscribe`."""
        wanted = SubscriptionFilter(
            tools_list_changed=tools or None,
            prompts_list_changed=prompts or None,
            resources_list_changed=resources or None,
            resource_subscriptions=list(uris) or None,
            task_ids=list(task_ids) or None,
        )
        return Subscription(client, self._desk, self._inbox, wanted, self.timeout, self)

    def deaf(self, one: Subscription, why: str) -> None:
        """It could not be begun anew, although there is a connection; it is asked for again."""
        if not self._deaf:
            detail = f"{located(self._where, why)}; they are asked for again"
            report("changes are not heard of", detail)
        self._deaf.add(one)

    def heard(self, one: Subscription) -> None:
        """The server tells what it wants to know."""
        self._deaf.discard(one)


class Subscription:
    """An async iterator of `Change`; use it as an async context manager.

    honoured: the part of what was asked for that the server tells about. Entering raises McpError if it
    refuses, ClientError if it cannot be asked; so does the iteration if it refuses later on.
    """

    def __init__(
        self,
        client: Pid,
        desk: Desk,
        inbox: Inbox,
        wanted: SubscriptionFilter,
        timeout: float,
        all: Subscribing,
    ) -> None:
        self.wanted = wanted
        self.honoured: SubscriptionFilter | None = None
        self._client = client
        self._desk = desk
        self._inbox = inbox
        self._timeout = timeout
        self._all = all
        self._waiting: dict[Any, Change] = {}
        self._news = trio.Event()
        self._began = trio.Event()
        self._again = False
        self._answered = False
        """Whether the server has acknowledged it since it was asked last."""
        self._failure: Exception | None = None
        self._supervisor: Pid | None = None
        self._pid: Pid | None = None
        self._watcher: Pid | None = None
        self._call: Call | None = None

    # --- for the reader -------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            self._supervisor = await subscriptions_of(self._client)
        except CallExit:
            raise NotConnected(_ENDED) from None
        self._watcher = spawn(self._watch_over, label="watches over a subscription")
        spec = ChildSpec(
            "subscription", (self._start_link, ()), restart="transient", backoff=_PAUSE
        )
        try:
            self._pid = await start_child(self._supervisor, spec)
            with trio.move_on_after(self._timeout) as scope:
                await self._began.wait()
            if scope.cancelled_caught:
                raise ClientError(f"{LISTEN}: no answer within {self._timeout:g} s")
            if self._failure is not None:
                raise self._failure
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        return self._waiting.pop(next(iter(self._waiting)))

    async def _watch_over(self) -> None:
        """A process: nobody starts what a client has that has ended."""
        assert self._supervisor is not None
        monitor(self._supervisor)
        await receive()
        self._fail(NotConnected(_ENDED))

    def _fail(self, problem: Exception) -> None:
        self._failure = problem
        self._began.set()
        self._tell()

    async def _end(self) -> None:
        if self._watcher is not None:
            exit_signal(self._watcher, "kill")
        self._all.heard(self)
        if self._supervisor is None or self._pid is None:
            return
        with trio.CancelScope(shield=True):
            try:
                await terminate_child(self._supervisor, self._pid)
            except CallExit:
                return  # the client has ended, and all below it
            except SupervisorError as gone:
                if gone.reason != "not_found":
                    raise

    # --- the process ----------------------------------------------------------------------

    def _start_link(self) -> Pid:
        self._pid = spawn_link(self._run, label="subscription")
        return self._pid

    async def _run(self) -> None:
        failures = 0
        while True:
            link = await self._linked()
            listen = self._listen if link.era == "modern" else self._watch
            began, self._answered = trio.current_time(), False
            try:
                await listen(link)
            except McpError as refused:
                self._fail(refused)
                return
            except ClientError as lost:
                why = str(lost)
            failures = 1 if trio.current_time() - began > _PAUSE.limit else failures + 1
            await trio.sleep(_PAUSE.pause(failures - 1))
            if self._desk.link is link and not self._answered:
                self._all.deaf(self, why)

    async def _linked(self) -> Link:
        while self._desk.link is None:
            await self._desk.changed()
        return self._desk.link

    async def _listen(self, link: Link) -> NoReturn:
        """2026-07-28: one request, for as long as the subscription lasts."""
        params = msgspec.to_builtins(self.wanted)
        call = self._call = Call(LISTEN, {"notifications": params})
        call.patience = math.inf
        methods = (*_LISTS, names.RESOURCE_UPDATED, names.TASK_CHANGED, names.ACKNOWLEDGED)
        for method in methods:
            self._inbox.listen(method, self._heard)
        try:
            answer = await link.send(call)
        finally:
            for method in methods:
                self._inbox.unlisten(method, self._heard)
        if isinstance(answer, ErrorResponse):
            raise McpError(answer.error.code, answer.error.message, answer.error.data)
        raise ConnectionLost("the server has ended the subscription")

    def _heard(self, message: Notification) -> None:
        if self._call is None or read_subscription(message) != self._call.id:
            return
        if message.method == names.ACKNOWLEDGED:
            honoured = params_as(message, SubscriptionsAcknowledgedParams).notifications
            self._acknowledged(honoured)
        else:
            self._take(message)

    async def _watch(self, link: Link) -> NoReturn:
        """The older revisions: lists are told anyway, resources are asked for one by one."""
        wanted = self.wanted
        if wanted.task_ids:
            raise McpError(-32601, "subscriptions to tasks need 2026-07-28")
        methods = [
            method
            for method, wish in zip(
                (*_LISTS, names.RESOURCE_UPDATED),
                (
                    wanted.tools_list_changed,
                    wanted.prompts_list_changed,
                    wanted.resources_list_changed,
                    wanted.resource_subscriptions,
                ),
                strict=True,
            )
            if wish
        ]
        uris = wanted.resource_subscriptions or []
        watched: list[str] = []
        for method in methods:
            self._inbox.listen(method, self._take)
        try:
            for uri in uris:
                await _ask(link, "resources/subscribe", uri)
                watched.append(uri)
            self._acknowledged(wanted)
            while self._desk.link is link:
                await self._desk.changed()
            raise ConnectionLost("the connection has ended")
        finally:
            for method in methods:
                self._inbox.unlisten(method, self._take)
            if watched and self._desk.link is link:
                await self._unwatch(link, watched)

    async def _unwatch(self, link: Link, uris: list[str]) -> None:
        with trio.move_on_after(_UNSUBSCRIBE, shield=True):
            try:
                for uri in uris:
                    await _ask(link, "resources/unsubscribe", uri)
            except (ClientError, McpError):
                return  # it is gone, and its wishes with it

    def _acknowledged(self, honoured: SubscriptionFilter) -> None:
        self.honoured = honoured
        if self._again:
            for change in _all(honoured):
                self._add(change)
        self._again = self._answered = True
        self._all.heard(self)
        self._began.set()

    def _take(self, message: Notification) -> None:
        kind = _LISTS.get(message.method)
        if kind is not None:
            if kind in self._lists():
                self._add(Change(kind))
        elif message.method == names.RESOURCE_UPDATED:
            uri = params_as(message, ResourceUpdatedParams).uri
            if any(uri == one or uri.startswith(one) for one in self._uris()):
                self._add(Change("resource", uri=uri))
        else:
            state = params_as(message, DetailedTask)
            self._add(Change("task", task=state.task_id, state=state))

    def _lists(self) -> list[Kind]:
        return [change.kind for change in _all(self.wanted)]

    def _uris(self) -> list[str]:
        return self.wanted.resource_subscriptions or []

    def _add(self, change: Change) -> None:
        key = (change.kind, change.uri, change.task)
        self._waiting[key] = change
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()


async def _ask(link: Link, method: str, uri: str) -> None:
    answer = await link.send(Call(method, {"uri": uri}))
    if isinstance(answer, ErrorResponse):
        raise McpError(answer.error.code, answer.error.message, answer.error.data)


def _all(honoured: SubscriptionFilter) -> list[Change]:
    lists: list[tuple[bool | None, Kind]] = [
        (honoured.tools_list_changed, "tools"),
        (honoured.prompts_list_changed, "prompts"),
        (honoured.resources_list_changed, "resources"),
    ]
    changes = [Change(kind) for wanted, kind in lists if wanted]
    changes += [Change("resource", uri=uri) for uri in honoured.resource_subscriptions or ()]
    return changes + [Change("task", task=id) for id in honoured.task_ids or ()]
