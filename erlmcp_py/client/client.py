"""The MCP client: one API over every transport and both eras."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, Unpack, cast

import trio
from msgspec import UNSET, Raw

from erlmcp_py.client import tree
from erlmcp_py.client.cache import Cache
from erlmcp_py.client.calls import Answer, Call, OnLog, OnProgress
from erlmcp_py.client.connection import Connection
from erlmcp_py.client.desk import ClientStatus, Desk
from erlmcp_py.client.errors import ConnectError, NotConnected
from erlmcp_py.client.handlers import Answerer, Handlers
from erlmcp_py.client.http.address import read_address
from erlmcp_py.client.http.authorizing import Authorizer
from erlmcp_py.client.http.sending import check_headers
from erlmcp_py.client.identity import DEFAULT_INFO, Identity
from erlmcp_py.client.inbox import Inbox
from erlmcp_py.client.link import Hello
from erlmcp_py.client.options import Options
from erlmcp_py.client.pages import Pages
from erlmcp_py.client.requesting import Requests
from erlmcp_py.client.skills import Skills
from erlmcp_py.client.subscribing import Subscribing, Subscription
from erlmcp_py.client.taking import Tasks
from erlmcp_py.client.toolbox import Toolbox
from erlmcp_py.client.where import AtSocket, AtUrl, AtWebSocket, ByCommand, InProcess, Where
from erlmcp_py.protocol import notifications as names
from erlmcp_py.protocol.completion import Completion, PromptReference, ResourceTemplateReference
from erlmcp_py.protocol.errors import HEADER_MISMATCH, McpError
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.jsonrpc import Notification, params_as
from erlmcp_py.protocol.lifecycle import LogLevel
from erlmcp_py.protocol.prompts import GetPromptResult, Prompt
from erlmcp_py.protocol.resources import ReadResourceResult, Resource, ResourceTemplate
from erlmcp_py.protocol.subscriptions import ResourceUpdatedParams
from erlmcp_py.protocol.tools import CallToolResult, Tool
from erlmcp_py.protocol.wire import Json
from erlmcp_py.transports.framing import Name
from supervisors import ChildSpec, Pid, Runtime, current_runtime, is_alive

if TYPE_CHECKING:
    from erlmcp_py.ports import Graces

T = TypeVar("T")

TIMEOUT: Final = 30.0
"""Seconds (CONFORMANCE 1.7)."""


class Client:
    """A client of one server.

    ::

        async with Client("http://127.0.0.1:8000/mcp") as client:
            result = await client.call_tool("echo", {"text": "hello"})

    The block begins when the server has been greeted, and raises ConnectError if it cannot be. From then
    on the connection is made again whenever it is lost. In a program that runs supervisors of its own,
    `child_spec` puts the client below one of them instead; it then connects in its own time.

    Requests raise `McpError` when the server refuses, `ClientError` when there is no answer; several may
    be under way at once. A cancelled one is cancelled at the server.
    """

    def __init__(
        self,
        target: str | Where,
        *,
        headers: Mapping[str, str] | None = None,
        authorizer: Authorizer | None = None,
        tls: ssl.SSLContext | None = None,
        **options: Unpack[Options],
    ) -> None:
        """target: a URL. headers: sent with every HTTP request. authorizer: see `http.authorizing`. tls:
        whom to trust, for https. options: see `options.Options`.
        """
        if isinstance(target, str):
            check_headers(headers or {})
            target = AtUrl(read_address(target), headers or {}, authorizer, tls)
        elif headers or authorizer or tls:
            raise ValueError("headers, authorizer and tls belong to a URL")
        self.where: Where = target
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
            target,
            options.get("mode", "auto"),
            self._identity,
            self._inbox,
            self._desk,
            self.timeout,
            options.get("pause"),
        )
        self._desk.on_up = self._began
        for method in (names.TOOLS_CHANGED, names.PROMPTS_CHANGED, names.RESOURCES_CHANGED):
            self._inbox.listen(method, self._changed)
        self._inbox.listen(names.RESOURCE_UPDATED, self._updated)
        self._stack = AsyncExitStack()
        self.pid: Pid | None = None
        """Of the supervisor, once there is one."""
        self.tasks = Tasks(self._requests, self._desk, self._handlers, self.timeout)
        self.skills = Skills(self._cached)
        self._subscribing = Subscribing(self._desk, self._inbox, self.timeout)

    @classmethod
    def stdio(
        cls,
        *argv: str,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        inherit_env: bool = True,
        on_stderr: Callable[[str], object] | None = None,
        on_port: Callable[[Any], object] | None = None,
        graces: Graces | None = None,
        **options: Unpack[Options],
    ) -> Self:
        """A server that is a program, started for this client. on_stderr: gets each line it writes there
        (None: they are kept for the text of errors only); on_port: its port (`erlmcp_py.ports`), None
        when it has ended.
        """
        from erlmcp_py.ports import Command  # heavy, and not for those who speak HTTP

        command = Command(argv=argv, env=env or {}, cwd=cwd, inherit_env=inherit_env)
        return cls(ByCommand(command, on_stderr, on_port, graces), **options)

    @classmethod
    def tcp(
        cls, host: str, port: int, *, framing: Name = "newline", **options: Unpack[Options]
    ) -> Self:
        """A server on a TCP port."""
        return cls(AtSocket(host, port, framing), **options)

    @classmethod
    def unix(cls, path: str, *, framing: Name = "newline", **options: Unpack[Options]) -> Self:
        """A server on a Unix socket."""
        return cls(AtSocket(path, None, framing), **options)

    @classmethod
    def websocket(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        authorizer: Authorizer | None = None,
        tls: ssl.SSLContext | None = None,
        **options: Unpack[Options],
    ) -> Self:
        """A server at a WebSocket, ``ws://…`` or ``wss://…``. headers, authorizer: for the handshake."""
        if not url.startswith(("ws://", "wss://")):
            raise ValueError(f"{url!r} is no address of a WebSocket: it begins with ws: or wss:")
        check_headers(headers or {})
        address = read_address("http" + url.removeprefix("ws"))
        return cls(AtWebSocket(address, headers or {}, authorizer, tls), **options)

    @classmethod
    def in_process(cls, server: Any, **options: Unpack[Options]) -> Self:
        """A `Server` of this program, which is started for this client."""
        return cls(InProcess(server), **options)

    # --- life ---------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            try:
                current_runtime()
            except RuntimeError:
                await stack.enter_async_context(Runtime())
            pid = self.pid = await tree.start(self._connection)
            stack.push_async_callback(self._end, pid)
            await self._first()
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
            where, failure = str(self.where), str(self._desk.failure)
            raise ConnectError(failure if failure.startswith(where) else f"{where}: {failure}")

    async def _end(self, pid: Pid) -> None:
        with trio.CancelScope(shield=True):
            self._desk.close()
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
        Requests in flight end with the reason, and another connection is made after the usual pause.
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

    # --- tools --------------------------------------------------------------------------

    def tools(self) -> Pages[Tool]:
        """The tools, page by page. Those whose schema a client must not accept are left out."""
        return Pages(self._tool_page, "tools/list")

    async def list_tools(self) -> list[Tool]:
        """All tools."""
        return await self.tools().all()

    async def _tool_page(self, cursor: str | None) -> tuple[list[Tool], str | None]:
        result = await self._cached("tools/list", {} if cursor is None else {"cursor": cursor})
        link = self._desk.link
        mirrors = isinstance(self.where, AtUrl) and link is not None and link.era == "modern"
        return self._toolbox.learn(result.tools, mirrors=mirrors), result.next_cursor

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        log_level: LogLevel | None = None,
        meta: Json | None = None,
    ) -> CallToolResult:
        """Call a tool. A tool that fails says so in its result (`is_error`).

        on_progress: gets `ProgressParams`; each gives the call its time again. timeout: seconds instead
        of the client's. log_level: of this call (2026-07-28). Raises InvalidOutput if the result is not
        what the tool's output schema promises.
        """
        call = Call(
            "tools/call",
            {"name": name, "arguments": {} if arguments is None else arguments},
            meta=meta,
            on_progress=on_progress,
            log_level=log_level,
        )
        patience = self.timeout if timeout is None else timeout
        call.headers = self._toolbox.headers(name, arguments or {})
        try:
            result, _ = await self._requests.result(call, patience, tasks=True)
        except McpError as error:
            if error.code != HEADER_MISMATCH:
                raise
            # The schema has changed, or was never seen: look, and repeat what it wants repeated.
            self._cache.drop("tools/list")
            await self.list_tools()
            call.headers = self._toolbox.headers(name, arguments or {})
            result, _ = await self._requests.result(call, patience, tasks=True)
        if isinstance(result, extension.CreateTaskResult):
            result = await self.tasks.resume(result.task_id).result()
        await self._check(name, result)
        return cast(CallToolResult, result)

    async def _check(self, name: str, result: CallToolResult) -> None:
        if result.structured_content is not UNSET and not self._toolbox.knows(name):
            await self.list_tools()
        self._toolbox.check(name, result)

    # --- resources ----------------------------------------------------------------------

    def resources(self) -> Pages[Resource]:
        """The resources, page by page."""
        return Pages(partial(self._page, "resources/list", "resources"), "resources/list")

    async def list_resources(self) -> list[Resource]:
        """All resources."""
        return await self.resources().all()

    def resource_templates(self) -> Pages[ResourceTemplate]:
        """The templates of resources, page by page."""
        method = "resources/templates/list"
        return Pages(partial(self._page, method, "resource_templates"), method)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """All templates of resources."""
        return await self.resource_templates().all()

    async def read_resource(
        self, uri: str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> ReadResourceResult:
        """The contents of a resource."""
        result = await self._cached(
            "resources/read", {"uri": uri}, on_progress=on_progress, timeout=timeout
        )
        return cast(ReadResourceResult, result)

    # --- prompts, completion --------------------------------------------------------------

    def prompts(self) -> Pages[Prompt]:
        """The prompts, page by page."""
        return Pages(partial(self._page, "prompts/list", "prompts"), "prompts/list")

    async def list_prompts(self) -> list[Prompt]:
        """All prompts."""
        return await self.prompts().all()

    async def get_prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
    ) -> GetPromptResult:
        """The messages of a prompt."""
        params = {"name": name, "arguments": {} if arguments is None else arguments}
        call = Call("prompts/get", params, on_progress=on_progress)
        return cast(GetPromptResult, await self._result(call, timeout))

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: str,
        value: str,
        context: Mapping[str, str] | None = None,
    ) -> Completion:
        """Proposals for the value of an argument of which `value` has been typed. context: the arguments
        that have values already.
        """
        params: dict[str, Any] = {"ref": ref, "argument": {"name": argument, "value": value}}
        if context is not None:
            params["context"] = {"arguments": context}
        result = await self._result(Call("completion/complete", params), None)
        return cast(Completion, result.completion)

    # --- the rest -------------------------------------------------------------------------

    async def ping(self) -> None:
        """Have the server answer. 2026-07-28 has no `ping`; `server/discover` is as good."""
        hello = self._desk.hello  # while there is no connection, of the last one
        modern = hello is None or hello.era == "modern"
        await self._result(Call("server/discover" if modern else "ping", {}), None)

    async def set_log_level(self, level: LogLevel) -> None:
        """The least severe log lines that are wanted from now on (`on_log`)."""
        self._identity.log_level = level
        if self.hello.era == "legacy":
            await self._result(Call("logging/setLevel", {"level": level}), None)

    async def roots_changed(self) -> None:
        """Tell a server of the legacy era that it should ask for the roots again."""
        link = self._desk.link
        if link is not None and link.era == "legacy":
            await link.tell(names.ROOTS_CHANGED, None)

    def subscribe(
        self,
        *,
        tools: bool = False,
        prompts: bool = False,
        resources: bool = False,
        uris: tuple[str, ...] | list[str] = (),
        task_ids: tuple[str, ...] | list[str] = (),
    ) -> Subscription:
        """Be told of changes: of the lists, of single resources, of tasks (2026-07-28).

        ::

            async with client.subscribe(tools=True, uris=["file:///a"]) as changes:
                async for change in changes:
                    …

        It outlives the connection: on the next one everything is announced once, for nobody knows what
        was missed.
        """
        if self.pid is None:
            raise NotConnected("subscribe() needs a client that has been opened")
        return self._subscribing.subscription(
            self.pid,
            tools=tools,
            prompts=prompts,
            resources=resources,
            uris=tuple(uris),
            task_ids=tuple(task_ids),
        )

    async def forward(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        meta: Json | None = None,
        on_progress: OnProgress | None = None,
        capabilities: Raw | None = None,
        log_level: LogLevel | None = None,
        on_log: OnLog | None = None,
        answerer: Answerer | None = None,
        timeout: float | None = None,
    ) -> tuple[Answer, str]:
        """For programs that pass requests on: the answer as it came, an error or questions included,
        and the revision it is of. params: without `_meta`. capabilities: of whom it is for. on_log,
        answerer: for log lines and questions that are of this request without doubt, which only HTTP
        tells; the others go where the client's own go.
        """
        call = Call(
            method,
            params,
            meta=meta,
            on_progress=on_progress,
            capabilities=capabilities,
            log_level=log_level,
            on_log=on_log,
            answerer=answerer,
        )
        if method == "tools/call":
            name = params.get("name", "")
            call.headers = self._toolbox.headers(name, params.get("arguments") or {})
        return await self._requests.answer(call, self.timeout if timeout is None else timeout)

    # --- below ----------------------------------------------------------------------------

    async def _page(
        self, method: str, member: str, cursor: str | None
    ) -> tuple[list[Any], str | None]:
        result = await self._cached(method, {} if cursor is None else {"cursor": cursor})
        return list(getattr(result, member)), result.next_cursor

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
        result, asked = await self._requests.result(call, patience)
        if not asked:
            self._cache.keep(method, params, result)
        return result

    async def _result(self, call: Call, timeout: float | None) -> Any:
        patience = self.timeout if timeout is None else timeout
        return (await self._requests.result(call, patience))[0]
