"""A line to a server at a URL: streamable HTTP, in the era that the server speaks.

The newest revision is tried first. What answers with anything but an error of that revision is taken
for an older server and gets `initialize` (MCP 2026-07-28, versioning).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from erlmcp_py.cli.calling.line import (
    CAPABILITIES,
    INFO,
    ROUNDS,
    Line,
    NoAnswer,
    Options,
    Person,
    next_round,
)
from erlmcp_py.protocol.errors import (
    HEADER_MISMATCH,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
    McpError,
)
from erlmcp_py.protocol.headers import (
    NAMED_BY,
    MirroredParameter,
    encode_value,
    parameter_headers,
)
from erlmcp_py.protocol.meta import PROGRESS_TOKEN, request_meta
from erlmcp_py.protocol.versions import LATEST, LEGACY, MODERN
from erlmcp_py.protocol.wire import Json

if TYPE_CHECKING:
    import httpx2

_ANYTHING: Final = msgspec.json.Decoder()
_EVENTS: Final = "text/event-stream"
_REFUSED: Final = (400, 404, 405, 406, 415)
"""With these an older server turns away what it does not understand."""
_MAX_RESUMED: Final = 100


class _Status(NoAnswer):
    """An HTTP status that brings no JSON-RPC message."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}" if text else f"HTTP {status}")
        self.status = status


@asynccontextmanager
async def open_http(url: str, person: Person, options: Options) -> AsyncIterator[Line]:
    """Connect, and agree on a revision. Raises `NoAnswer`, McpError."""
    import httpx2

    timeout = httpx2.Timeout(10.0, read=options.timeout)
    try:
        async with httpx2.AsyncClient(timeout=timeout, headers=dict(options.headers)) as client:
            line = await _negotiate(client, url, person, options)
            yield line
            if isinstance(line, _Legacy):
                await line.leave()
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        text = " ".join(str(problem).split()) or type(problem).__name__
        raise NoAnswer(f"{url}: {text}") from None
    except httpx2.SSEError as problem:
        raise NoAnswer(f"{url}: the answer is no event stream: {problem}") from None


async def _negotiate(
    client: httpx2.AsyncClient, url: str, person: Person, options: Options
) -> _Modern | _Legacy:
    legacy = _Legacy(client, url, person, options)
    if options.era == "legacy":
        await legacy.initialize(LEGACY[0])
        return legacy
    modern = _Modern(client, url, person, options)
    try:
        modern.hello = await modern.request("server/discover", {})
    except (McpError, _Status) as problem:
        wanted = _older(problem)
        if wanted is None or options.era == "modern":
            raise
        await legacy.initialize(wanted)
        return legacy
    return modern


def _older(problem: McpError | _Status) -> str | None:
    """The revision to begin a handshake with after this answer; None if that would not help."""
    if isinstance(problem, _Status):
        return LEGACY[0] if problem.status in _REFUSED else None
    if problem.code == UNSUPPORTED_VERSION:
        data = problem.data if isinstance(problem.data, dict) else {}
        return next((known for known in LEGACY if known in data.get("supported", ())), None)
    if problem.code in (HEADER_MISMATCH, MISSING_CAPABILITY):
        return None
    return LEGACY[0]


class _Http:
    """What both eras share: one message out, and all that comes back for it."""

    version: str

    def __init__(
        self, client: httpx2.AsyncClient, url: str, person: Person, options: Options
    ) -> None:
        self.hello: Json = {}
        self._client = client
        self._url = url
        self._person = person
        self._options = options
        self._serial = 0
        self._last_event = ""
        self._retry = 1.0

    def _headers(self) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "accept": f"application/json, {_EVENTS}",
            "mcp-protocol-version": self.version,
        }

    def _next_id(self) -> int:
        self._serial += 1
        return self._serial

    async def _post(self, message: Json, headers: dict[str, str]) -> Json | None:
        """The response to the message. None: it was taken, or the stream ended without one."""
        content = msgspec.json.encode(message)
        self._last_event = ""
        async with self._client.stream(
            "POST", self._url, content=content, headers=headers
        ) as response:
            self._seen(response)
            return await self._read(response, message.get("id"))

    def _seen(self, response: httpx2.Response) -> None:
        """Look at the headers of a response."""

    async def _read(self, response: httpx2.Response, id: object) -> Json | None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == _EVENTS:
            return await self._follow(response, id)
        body = await response.aread()
        if response.is_success and not body:
            return None
        message = _message_of(body)
        if message is None or not ("result" in message or "error" in message):
            raise _Status(response.status_code, _first_line(body) if kind == "text/plain" else "")
        return message

    async def _follow(self, response: httpx2.Response, id: object) -> Json | None:
        """The response among the events of a stream; to its end, which comes behind it."""
        from httpx2 import EventSource

        found: Json | None = None
        async for event in EventSource(response):
            self._last_event = event.id or self._last_event
            if event.retry is not None:
                self._retry = event.retry / 1000
            if not event.data:
                continue
            message = _message_of(event.data.encode())
            if message is None:
                raise NoAnswer("an event of the answer is no JSON-RPC message")
            if "method" in message:
                await self._take(message)
            elif message.get("id") == id:
                found = message
        return found

    async def _take(self, message: Json) -> None:
        """A notification on the stream of a request."""
        if "id" not in message:
            self._person.notified(message["method"], message.get("params", {}))


class _Modern(_Http):
    """Every request stands alone."""

    version = LATEST

    async def request(
        self, method: str, params: Json, mirrored: tuple[MirroredParameter, ...] = ()
    ) -> Json:
        """See `Line`."""
        for _ in range(ROUNDS):
            result = await self._ask(method, params, mirrored)
            again = next_round(params, result, self._person)
            if again is None:
                return result
            params = again
        raise NoAnswer(f"the server still asks after {ROUNDS} rounds")

    async def _ask(
        self, method: str, params: Json, mirrored: tuple[MirroredParameter, ...]
    ) -> Json:
        try:
            return await self._once(method, params, mirrored)
        except McpError as error:
            if error.code != UNSUPPORTED_VERSION or not isinstance(error.data, dict):
                raise
            supported = error.data.get("supported", ())
            known = [one for one in MODERN if one in supported and one != self.version]
            if not known:
                raise
            self.version = known[0]
        return await self._once(method, params, mirrored)

    async def _once(
        self, method: str, params: Json, mirrored: tuple[MirroredParameter, ...]
    ) -> Json:
        id = self._next_id()
        meta = request_meta(
            self.version,
            INFO,
            CAPABILITIES,
            log_level=self._options.log_level,
            progress_token=id,
        )
        message = _request(id, method, {**params, "_meta": meta})
        headers = self._headers() | {"mcp-method": method}
        target = params.get(NAMED_BY.get(method, ""))
        if isinstance(target, str):
            headers["mcp-name"] = encode_value(target).decode("ascii")
        repeated = parameter_headers(mirrored, params.get("arguments", {}))
        headers |= {name: value.decode("ascii") for name, value in repeated.items()}
        return _result(await self._post(message, headers))


class _Legacy(_Http):
    """A session: a handshake, requests in both directions, streams that are resumed."""

    version = LEGACY[0]

    def __init__(
        self, client: httpx2.AsyncClient, url: str, person: Person, options: Options
    ) -> None:
        super().__init__(client, url, person, options)
        self._session: str | None = None

    async def initialize(self, version: str) -> None:
        """Shake hands. Raises McpError, `NoAnswer`."""
        self.version = version
        params = {"protocolVersion": version, "capabilities": CAPABILITIES, "clientInfo": INFO}
        self.hello = await self.request("initialize", params)
        chosen = self.hello.get("protocolVersion")
        if chosen not in LEGACY:
            raise NoAnswer(f"the server speaks {chosen}; known are {', '.join(MODERN + LEGACY)}")
        self.version = chosen
        await self._tell("notifications/initialized", {})
        if "logging" in self.hello.get("capabilities", {}):
            await self.request("logging/setLevel", {"level": self._options.log_level})

    async def leave(self) -> None:
        """End the session; a server need not allow that (405)."""
        if self._session is not None:
            await self._client.delete(self._url, headers=self._headers())

    async def request(
        self,
        method: str,
        params: Json,
        mirrored: tuple[MirroredParameter, ...] = (),  # noqa: ARG002 -- of the other era
    ) -> Json:
        """See `Line`."""
        id = self._next_id()
        message = _request(id, method, {**params, "_meta": {PROGRESS_TOKEN: id}})
        answer = await self._post(message, self._headers())
        for _ in range(_MAX_RESUMED):
            if answer is not None or not self._last_event:
                break
            await trio.sleep(self._retry)
            answer = await self._resume(id)
        return _result(answer)

    def _headers(self) -> dict[str, str]:
        headers = super()._headers()
        if self._session is None:
            del headers["mcp-protocol-version"]
        else:
            headers["mcp-session-id"] = self._session
        return headers

    def _seen(self, response: httpx2.Response) -> None:
        self._session = response.headers.get("mcp-session-id", self._session)

    async def _resume(self, id: object) -> Json | None:
        """What the server has sent since it let go of the stream."""
        headers = self._headers() | {"accept": _EVENTS, "last-event-id": self._last_event}
        async with self._client.stream("GET", self._url, headers=headers) as response:
            return await self._read(response, id)

    async def _take(self, message: Json) -> None:
        if "id" not in message:
            await super()._take(message)
            return
        answer: Json = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            if message["method"] == "ping":
                answer["result"] = {}
            else:
                answer["result"] = self._person.asked(message["method"], message.get("params", {}))
        except McpError as error:
            answer["error"] = {"code": error.code, "message": error.message}
        await self._send(answer)

    async def _tell(self, method: str, params: Json) -> None:
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def _send(self, message: Json) -> None:
        content = msgspec.json.encode(message)
        response = await self._client.post(self._url, content=content, headers=self._headers())
        if not response.is_success:
            raise _Status(response.status_code, _first_line(response.content))


def _request(id: int, method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def _result(message: Json | None) -> Json:
    if message is None:
        raise NoAnswer("the server closed the stream without an answer")
    if "error" in message:
        error: dict[str, Any] = message["error"]
        raise McpError(error.get("code", 0), str(error.get("message", "")), error.get("data"))
    result: Json = message["result"]
    return result


def _message_of(data: bytes) -> Json | None:
    try:
        message = _ANYTHING.decode(data)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _first_line(body: bytes) -> str:
    lines = body.decode(errors="replace").strip().splitlines()
    return lines[0][:200] if lines else ""
