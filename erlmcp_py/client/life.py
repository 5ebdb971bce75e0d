"""The life of a client: its parts, its processes, and what it keeps from one connection to the next."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

import trio

from erlmcp_py.client import tree
from erlmcp_py.client.cache import Cache
from erlmcp_py.client.calls import Call, OnProgress
from erlmcp_py.client.connection import Connection
from erlmcp_py.client.desk import CLOSED, ClientStatus, Desk
from erlmcp_py.client.errors import ConnectError, NotConnected
from erlmcp_py.client.handlers import Handlers
from erlmcp_py.client.identity import DEFAULT_INFO, Identity
from erlmcp_py.client.inbox import Inbox
from erlmcp_py.client.link import Hello
from erlmcp_py.client.options import Options
from erlmcp_py.client.requesting import Requests
from erlmcp_py.client.subscribing import Subscribing
from erlmcp_py.client.taking import Tasks
from erlmcp_py.client.toolbox import Toolbox
from erlmcp_py.client.where import Where, located
from erlmcp_py.protocol import notifications as names
from erlmcp_py.protocol.jsonrpc import Notification, params_as
from erlmcp_py.protocol.subscriptions import ResourceUpdatedParams
from supervisors import ChildSpec, Pid, Runtime, current_runtime, is_alive

_NOTED: Final = 1.0
"""Seconds for the supervisor to see that a connection did not come to be. If it were stopped before, it would
report that its child had not ended as it was told.
"""
TIMEOUT: Final = 30.0
"""Seconds (CONFORMANCE 1.7)."""


class Life:
    """The part of a `Client` that is opened, connected again, and closed. where: its server."""

    def __init__(self, where: Where, options: Options) -> None:
        self.where = where
        self.timeout = options.get("timeout", TIMEOUT)
        if not self.timeout > 0:
            raise ValueError(f"timeout is {self.timeout!r}; it is seconds, more than 0")
        self._handlers: Any = options.get("answerer") or Handlers(
            elicit=options.get("elicit"),
            sample=options.get("sample"),
            sample_tools=options.get("sample_tools", False),
            roots=options.get("roots"),
            tasks=options.get("tasks", False),
        )
        self._identity = Identity(
            options.get("info", DEFAULT_INFO),
            self._handlers.capabilities(),
            options.get("log_level"),
        )
        self._inbox = Inbox(self._handlers, options.get("on_log"), options.get("on_notification"))
        self._desk = Desk()
        self._cache = Cache()
        self._toolbox = Toolbox()
        self._requests = Requests(self._desk, self._handlers)
        self._connection = Connection(
            where,
            options.get("mode", "auto"),
            self._identity,
            self._inbox,
            self._desk,
            self.timeout,
            options.get("pause"),
            followed=options.get("followed", False),
        )
        self._desk.on_up = self._began
        for method in (names.TOOLS_CHANGED, names.PROMPTS_CHANGED, names.RESOURCES_CHANGED):
            self._inbox.listen(method, self._changed)
        self._inbox.listen(names.RESOURCE_UPDATED, self._updated)
        self._stack = AsyncExitStack()
        self._opened = False
        self.pid: Pid | None = None
        """Of the supervisor, once there is one."""
        self.tasks = Tasks(self._requests, self._desk, self._handlers, self.timeout)
        self._subscribing = Subscribing(self._desk, self._inbox, self.timeout, where)

    async def __aenter__(self) -> Self:
        if self._opened or self.pid is not None:
            raise RuntimeError(f"the client of {self.where} has been opened before; make another")
        self._opened = True
        async with AsyncExitStack() as stack:
            try:
                current_runtime()
            except RuntimeError:
                await stack.enter_async_context(Runtime())
            connection = self._connection
            followed, connection.is_followed = connection.is_followed, True
            pid = self.pid = await tree.start(connection)
            stack.push_async_callback(self._end, pid)
            await self._first()
            connection.is_followed = followed
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _first(self) -> None:
        while self._desk.state == "connecting":
            await self._desk.changed()
        if self._desk.state != "up":
            failure = str(self._desk.failure)
            # Whoever opens a client runs this program, and may be told everything.
            text = ": ".join(filter(None, (failure, self._desk.status().detail)))
            with trio.move_on_after(_NOTED):
                while self._desk.state == "down" and self._desk.next_try is None:
                    await self._desk.changed()
            raise ConnectError(located(self.where, text))

    async def _end(self, pid: Pid) -> None:
        with trio.CancelScope(shield=True):
            self._desk.close()
            self._connection.close(CLOSED)
            self._requests.close()
            await tree.end(pid)

    def child_spec(self, id: Any = None) -> ChildSpec:
        """The client as a child of a supervisor; its requests wait until it is connected."""
        return ChildSpec(
            str(self.where) if id is None else id, (self._start_link, ()), type="supervisor"
        )

    async def _start_link(self) -> Pid:
        self.pid = await tree.start_link(self._connection)
        return self.pid

    def status(self) -> ClientStatus:
        """Whether it is connected, since when, and why not."""
        return self._desk.status()

    async def changed(self) -> None:
        """Wait for the next change of `status`."""
        await self._desk.changed()

    def set_timeout(self, timeout: float) -> None:
        """Have requests, greetings and subscriptions that begin from now on wait so many seconds."""
        for each in (self, self._connection, self.tasks, self._subscribing):
            each.timeout = timeout

    def reconnect(self, reason: str) -> None:
        """Give the connection up, for what only the program can know: that a server hangs, for instance.
        Requests in flight end with the reason, but over HTTP, where each has a connection of its own.
        Another connection is made after the usual pause.
        """
        self._connection.end(reason)

    async def begin_anew(self, reason: str) -> bool:
        """End the connection in order, for this reason, and make another at once. False: the client does
        not run.
        """
        if self.pid is None or not is_alive(self.pid):
            return False
        self._connection.close(reason)
        await tree.renew(self.pid)
        return True

    def connection_pid(self) -> Pid | None:
        """The process of the connection; None while there is none."""
        return self._connection.pid

    @property
    def hello(self) -> Hello:
        """What the server said of itself when it was greeted last: era, version, name, capabilities,
        instructions. Raises NotConnected if it never was.
        """
        if self._desk.hello is None:
            raise NotConnected(f"{self.where} has not been greeted yet")
        return self._desk.hello

    def _began(self) -> None:
        """There is a connection: perhaps to another version of the server."""
        self._cache.clear()
        self._toolbox.forget()

    def _changed(self, message: Notification) -> None:
        match message.method:
            case names.TOOLS_CHANGED:
                self._cache.drop("tools/list")
                self._toolbox.forget()
            case names.PROMPTS_CHANGED:
                self._cache.drop("prompts/list")
            case names.RESOURCES_CHANGED:
                self._cache.drop("resources/list", "resources/templates/list")

    def _updated(self, message: Notification) -> None:
        uri = params_as(message, ResourceUpdatedParams).uri
        self._cache.drop("resources/read", uri=uri)

    async def _cached(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
    ) -> Any:
        found = self._cache.find(method, params)
        if found is not None:
            return found
        call = Call(method, params, on_progress=on_progress)
        patience = self.timeout if timeout is None else timeout
        drops = self._cache.drops
        result, asked = await self._requests.result(call, patience)
        if not asked and drops == self._cache.drops:
            self._cache.keep(method, params, result)
        return result

    async def _result(self, call: Call, timeout: float | None) -> Any:
        patience = self.timeout if timeout is None else timeout
        return (await self._requests.result(call, patience))[0]
