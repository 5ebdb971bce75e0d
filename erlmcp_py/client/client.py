"""The MCP client: one API over every transport and both eras."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, Unpack

from msgspec import Raw

from erlmcp_py.client.calls import Answer, Call, OnLog, OnProgress
from erlmcp_py.client.errors import NotConnected
from erlmcp_py.client.features import Features
from erlmcp_py.client.handlers import Answerer
from erlmcp_py.client.http.address import read_address
from erlmcp_py.client.http.authorizing import Authorizer
from erlmcp_py.client.http.headers import check_headers
from erlmcp_py.client.options import Options
from erlmcp_py.client.subscribing import Subscription
from erlmcp_py.client.where import AtSocket, AtUrl, AtWebSocket, ByCommand, InProcess, Where
from erlmcp_py.protocol import notifications as names
from erlmcp_py.protocol.lifecycle import LogLevel
from erlmcp_py.protocol.wire import Json
from erlmcp_py.transports.framing import Name

if TYPE_CHECKING:
    from erlmcp_py.ports import Graces


class Client(Features):
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
        super().__init__(target, options)

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
        end_daemons: bool = False,
        **options: Unpack[Options],
    ) -> Self:
        """A server that is a program, started for this client. on_stderr: gets each line it writes there
        (None: they are kept for the text of errors only); on_port: its port (`erlmcp_py.ports`), None
        when it has ended. end_daemons: what it has started in sessions of their own ends with it, too.
        """
        from erlmcp_py.ports import Command  # heavy, and not for those who speak HTTP

        command = Command(argv=argv, env=env or {}, cwd=cwd, inherit_env=inherit_env)
        return cls(ByCommand(command, on_stderr, on_port, graces, end_daemons), **options)

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

    # --- the rest -------------------------------------------------------------------------

    async def ping(self, timeout: float | None = None) -> None:
        """Have the server answer. 2026-07-28 has no `ping`; `server/discover` is as good. timeout: instead of
        the client's.
        """
        patience = self.timeout if timeout is None else timeout
        hello = await self._requests.hello(patience)
        await self._result(
            Call("server/discover" if hello.era == "modern" else "ping", {}), patience
        )

    async def set_log_level(self, level: LogLevel) -> None:
        """The least severe log lines that are wanted from now on (`on_log`)."""
        self._identity.log_level = level
        hello = self._desk.hello  # None: it is told when it is greeted
        if hello is not None and hello.era == "legacy":
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
