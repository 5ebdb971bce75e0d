"""The ASGI application: what a host's server calls for its life, for a request, for a WebSocket.

ASGI 3.0, https://asgi.readthedocs.io/en/latest/specs/. This file puts a tree together, as `node` does, so
it stands on that floor; what it calls for a request is a transport like the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import msgspec
import trio

from erlmcp_py.config import Config
from erlmcp_py.guards import tally
from erlmcp_py.guards.streams import OpenStreams
from erlmcp_py.parts import Parts
from erlmcp_py.protocol.refusals import PATH_UNKNOWN, UNAVAILABLE, Refusal
from erlmcp_py.server import Server
from erlmcp_py.transports.asgi import requests
from erlmcp_py.transports.asgi.embedding import StartFailed, embedded, logger
from erlmcp_py.transports.asgi.exchange import Exchange, write
from erlmcp_py.transports.asgi.scopes import Scope
from erlmcp_py.transports.asgi.way import Receive, Send, Way
from erlmcp_py.transports.http.access import AccessPolicy
from erlmcp_py.transports.http.endpoint import Endpoint
from erlmcp_py.transports.http.plans import Answer, refusal
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.tree import child_specs
from supervisors import CallExit, ChildSpec, Pid, Runtime, call

_TRIO: Final = (
    "erlmcp_py runs on trio, and this server runs another event loop; "
    "use one that has trio, such as: hypercorn --worker-class trio MODULE:APP"
)
_NOT_RUNNING: Final = (
    "the MCP application is not running, because the host has not passed its lifespan on "
    "(mounted applications get none); enter `async with application.running():` in the lifespan "
    "of the host, or have the server call it with lifespan on"
)
_NO_WEBSOCKET: Final = "there is no WebSocket here; MCP is spoken by POST to /mcp"


class WrongLoop(RuntimeError):
    """The host does not run on trio."""


class NotRunning(RuntimeError):
    """A request came before the application was started."""


class Application:
    """MCP servers as an ASGI application; see `application`."""

    def __init__(self, servers: Mapping[str, Server], config: Config) -> None:
        self._servers = dict(servers)
        self._config = config
        self._runtime: Runtime | None = None
        self._listener = ListenerConfig(name=requests.NAME)
        self._endpoint: Endpoint | None = None
        self._started = False
        self._down: str | None = None
        """Why nothing can be served any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One scope: "lifespan", "http" or "websocket"."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await _refuse_websocket(scope, receive, send)
            case other:
                raise ValueError(f"no scope that ASGI 3.0 has: {other!r}")

    # --- its life -----------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve as long as the block lasts: for the lifespan of a host that does not pass its own on.

        Starts the servers, and stops them in order. Raises WrongLoop, StartFailed; RuntimeError when it
        runs already.
        """
        if not trio.lowlevel.in_trio_run():
            raise WrongLoop(_TRIO)
        if self._runtime is not None:
            raise RuntimeError("the application runs already; the lifespan needs it once")
        self._down = None
        parts = Parts(self._servers, None, lambda _: None, mounted=self._transport)
        core = tuple(spec for spec in child_specs(self._config, parts) if spec.id == "core")
        try:
            async with embedded(self._config.node.name, core, self._give_up) as self._runtime:
                self._started = True
                try:
                    yield
                finally:
                    self._go_down("they are being stopped")  # nobody new is let in
        finally:
            self._runtime = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """``with application.active():`` names and calls of `supervisors` mean the node inside."""
        if self._runtime is None:
            raise NotRunning(_NOT_RUNNING)
        with self._runtime.active():
            yield

    def _transport(self, listener: ListenerConfig) -> ChildSpec:
        """The requests as a child of the tree; what the rooms of HTTP are told is made from it, too."""
        self._listener = msgspec.structs.replace(
            listener, name=requests.NAME, websocket=None, tls=None, hsts=None
        )
        http = self._listener
        self._endpoint = Endpoint(
            AccessPolicy("127.0.0.1", http.allowed_hosts, http.allowed_origins),
            {},
            OpenStreams(http.streams, http.streams_per_session),
            legacy_sse=http.legacy_sse,
            websocket=False,
        )
        return requests.child_spec(http)

    def _give_up(self, why: str) -> None:
        logger.critical("the MCP application has ended: %s", why)
        self._go_down(why)

    def _go_down(self, why: str) -> None:
        self._down = self._down or why

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        started = False
        try:
            async with self.running():
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except (WrongLoop, StartFailed) as problem:
            if started:
                raise
            await send({"type": "lifespan.startup.failed", "message": str(problem)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    # --- a request ----------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not trio.lowlevel.in_trio_run():
            raise WrongLoop(_TRIO)
        if not self._started:
            raise NotRunning(_NOT_RUNNING)
        way = Way()
        refused = await self._admit(way, scope)
        if refused is None:
            try:
                await way.converse(receive, send)
            finally:
                # Before the process hears that nobody is there any more.
                broken = not (way.begun or way.gone)
                way.depart()
            if not broken:
                return
            refused = refusal(UNAVAILABLE, "what worked on this request has ended; try again")
        if self._runtime is not None and refused.refusal is not None:
            with self._runtime.active():
                tally.count(refused.refusal)
        way = Way()
        write(way, refused)
        await way.speak(send)

    async def _admit(self, way: Way, scope: Scope) -> Answer | None:
        """Have a process serve the request; or the answer that says why not."""
        runtime, endpoint = self._runtime, self._endpoint
        if self._down is not None or runtime is None or endpoint is None:
            return refusal(UNAVAILABLE, f"the MCP servers are down: {self._down}")
        exchange = Exchange(way, scope, self._listener, endpoint)
        with runtime.active():
            try:
                started: Pid | Refusal = await call(requests.NAME, ("start", exchange))
            except CallExit:
                return refusal(UNAVAILABLE, "the transport is being restarted; try again")
        if isinstance(started, Refusal):
            limit = self._listener.max_connections
            return refusal(started, f"{limit} requests are at work here, as many as may be")
        return None


def application(
    servers: Server | Mapping[str, Server], config: Config | None = None
) -> Application:
    """An ASGI application that serves MCP servers, at ``/mcp`` and ``/mcp/NAME`` below its mount.

    servers: one, by its own name; or several by name, the first of which is also the default, at
    ``/mcp``. config: as of a node (`erlmcp_py.config.load`). Of ``[http]`` counts what is said of
    single requests, of streams, hosts and origins; ``http.connections`` is the number of requests that
    may be at work. Where the host checks `Host` itself, ``allowed_hosts = ["*"]`` has it done once.
    """
    named = {servers.name: servers} if isinstance(servers, Server) else servers
    if not named:
        raise ValueError("an MCP application needs at least one server")
    given = config or Config()
    return Application(
        named,
        msgspec.structs.replace(
            given,
            http=msgspec.structs.replace(given.http, enabled=False),
            tcp=msgspec.structs.replace(given.tcp, enabled=False),
            stdio=msgspec.structs.replace(given.stdio, enabled=False),
        ),
    )


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """404, or what the server makes of a WebSocket that is closed before it is accepted (403)."""
    await receive()
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    if "websocket.http.response" not in extensions:
        await send({"type": "websocket.close", "code": 1008, "reason": _NO_WEBSOCKET})
        return
    answer = refusal(PATH_UNKNOWN, _NO_WEBSOCKET)
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    start = {"type": "websocket.http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": answer.body, "more_body": False})
