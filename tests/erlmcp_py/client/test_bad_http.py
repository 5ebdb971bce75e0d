"""HTTP servers that do what they should not, and what the client says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from erlmcp_py.client import (
    BadAnswer,
    Client,
    ClientError,
    ConnectError,
    ConnectionLost,
    HttpStatus,
    InvalidOutput,
)
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.results import InvalidResult
from tests.erlmcp_py.client.bad import (
    DISCOVERED,
    Asked,
    error,
    http_server,
    json_answer,
    result,
    stream,
)

Answer = Callable[[Asked], bytes | None]


def modern(call: Answer) -> Answer:
    """A server that is found to be modern, and answers a tool call so."""
    return lambda asked: (
        result(asked, DISCOVERED) if asked.method == "server/discover" else call(asked)
    )


DONE = {"resultType": "complete", "content": []}

WRONG: list[tuple[Answer, type[Exception], str]] = [
    (lambda _: None, ConnectionLost, "ended before an answer"),
    (lambda _: b"SSH-2.0-x\r\n\r\n", ConnectionLost, "no status line"),
    (lambda _: json_answer(b"{"), BadAnswer, "no JSON-RPC message"),
    (lambda _: json_answer(b"[]"), BadAnswer, "no JSON-RPC message"),
    (lambda _: json_answer(b""), BadAnswer, "answered with nothing"),
    (lambda _: b"HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n", BadAnswer, "with nothing"),
    (lambda _: b"HTTP/1.1 204 OK\r\n\r\n", BadAnswer, "with nothing"),
    (lambda a: result(a, DONE, "Content-Encoding: gzip\r\n"), ConnectionLost, "compressed"),
    (lambda _: b"HTTP/1.1 304 Not\r\n\r\n", HttpStatus, "HTTP 304"),
    (
        lambda a: result(a, DONE).replace(b"/json", b"/html"),
        BadAnswer,
        "answered with application/html",
    ),
    (
        lambda _: json_answer({"jsonrpc": "2.0", "id": 77, "result": DONE}),
        BadAnswer,
        "not to the request",
    ),
    (lambda _: b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", HttpStatus, "HTTP 500"),
    (
        lambda _: b"HTTP/1.1 302 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        HttpStatus,
        "redirect",
    ),
    (
        lambda _: b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        HttpStatus,
        "not followed",
    ),
    (
        lambda _: b"HTTP/1.1 307 Go\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
        HttpStatus,
        "again and again",
    ),
    (lambda a: result(a, {"content": 5}), InvalidResult, "content"),
    (lambda a: result(a, {"resultType": "odd", "content": []}), InvalidResult, "odd"),
    (lambda a: error(a, -32603), McpError, "no"),
    (
        lambda _: stream(),
        ConnectionLost,
        r"127\.0\.0\.1:.*: the server closed .* without an answer",
    ),
    (lambda _: stream(b"data: {\n\n"), BadAnswer, "no JSON-RPC message"),
    (lambda _: stream(b"data: " + 1_100_000 * b"x"), BadAnswer, "longer than 1048576 bytes"),
    (lambda _: stream(b": hello\n\n", end=False) + b"xyz\r\n", ConnectionLost, "size of a chunk"),
]


@pytest.mark.parametrize(("call", "kind", "text"), WRONG)
async def test_a_wrong_answer_is_a_clear_error_and_no_more(
    call: Answer, kind: type[Exception], text: str
) -> None:
    spoiled = True

    def behave(asked: Asked) -> bytes | None:
        return call(asked) if spoiled else result(asked, DONE)

    async with http_server(modern(behave)) as (url, seen), Client(url) as client:
        with pytest.raises(kind, match=text):
            await client.call_tool("x", timeout=5.0)
        calls = [asked for asked in seen if asked.method == "tools/call"]
        assert len({asked.message["id"] for asked in calls}) == 1, "sent twice"
        spoiled = False
        await client.call_tool("x")


async def test_what_changes_nothing_is_sent_again() -> None:
    lists = 0

    def behave(asked: Asked) -> bytes | None:
        nonlocal lists
        lists += 1
        return None if lists < 3 else result(asked, {"resultType": "complete", "tools": []})

    async with http_server(modern(behave)) as (url, _), Client(url) as client:
        assert await client.list_tools() == []
    assert lists == 3


async def test_a_server_that_is_not_there() -> None:
    with trio.socket.socket() as free:
        await free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ConnectError, match=f"127.0.0.1:{port}.*refused"):
            async with Client(f"http://127.0.0.1:{port}/mcp"):
                pass


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://x/", "begins with http"),
        ("http:///x", "names no host"),
        ("http://a:b@c/", "user name"),
    ],
)
def test_a_url_that_is_none(url: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Client(url)


@pytest.mark.parametrize(
    "headers", [{"A": "1\r\nB: 2"}, {"Mcp-Method": "x"}, {"Host": "x"}, {"": "x"}]
)
def test_headers_that_may_not_be_set(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"header"):
        Client("http://127.0.0.1/", headers=headers)


async def test_a_redirect_within_the_origin_is_followed_once() -> None:
    def behave(asked: Asked) -> bytes | None:
        if asked.target == "/mcp":
            return b"HTTP/1.1 307 Go\r\nLocation: /mcp/\r\nContent-Length: 0\r\n\r\n"
        return modern(lambda asked: result(asked, DONE))(asked)

    async with http_server(behave) as (url, seen), Client(url) as client:
        await client.call_tool("x")
        await client.call_tool("x")
    assert [asked.target for asked in seen] == ["/mcp", "/mcp/", "/mcp/", "/mcp/"]


async def test_own_headers_and_an_authorizer() -> None:
    class Token:
        number = 0

        async def headers(self, method: str, url: str) -> dict[str, str]:
            assert method == "POST"
            assert url.endswith("/mcp")
            await trio.lowlevel.checkpoint()
            return {"Authorization": f"Bearer {self.number}"}

        async def answered(self, answer: object) -> bool:
            await trio.lowlevel.checkpoint()
            if answer.status == 401:  # type: ignore[attr-defined]
                assert answer.headers["www-authenticate"] == "Bearer"  # type: ignore[attr-defined]
                self.number += 1
                return True
            return False

    def behave(asked: Asked) -> bytes | None:
        assert asked.headers["x-own"] == "1"
        if asked.headers["authorization"] != "Bearer 2":
            return json_answer(b"", "401 No", "WWW-Authenticate: Bearer\r\n")
        return modern(lambda asked: result(asked, DONE))(asked)

    token = Token()
    async with (
        http_server(behave) as (url, _),
        Client(url, headers={"X-Own": "1"}, authorizer=token) as client,
    ):
        await client.call_tool("x")
        token.number = 10  # never right
        with pytest.raises(HttpStatus, match="HTTP 401"):
            await client.call_tool("x")
    assert token.number == 14


# --- rounds -----------------------------------------------------------------------------------


async def test_state_comes_back_as_it_was_and_nowhere_else() -> None:
    def behave(asked: Asked) -> bytes:
        params = asked.message["params"]
        if params["name"] == "other" or "inputResponses" in params:
            return result(asked, DONE)
        question = {"method": "elicitation/create", "params": FORM}
        asking = {
            "resultType": "input_required",
            "inputRequests": {"a": question},
            "requestState": "süß",
        }
        return result(asked, asking)

    async with (
        http_server(modern(behave)) as (url, seen),
        Client(url, elicit=lambda _: {"ok": True}) as client,
    ):
        await client.call_tool("asks", {"x": 1})
        await client.call_tool("other")
    first, second, other = [asked.message for asked in seen[1:]]
    assert first["id"] != second["id"]
    assert second["params"]["requestState"] == "süß"
    assert second["params"]["inputResponses"] == {
        "a": {"action": "accept", "content": {"ok": True, "size": 3}}
    }
    assert second["params"]["arguments"] == {"x": 1}
    assert not {"requestState", "inputResponses"} & set(other["params"])


FORM = {
    "message": "Sure?",
    "requestedSchema": {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "size": {"type": "integer", "default": 3}},
    },
}


async def test_a_server_that_asks_without_end() -> None:
    asks = {"resultType": "input_required", "requestState": "again"}
    async with http_server(modern(lambda a: result(a, asks))) as (url, seen), Client(url) as client:
        with pytest.raises(ClientError, match="still asks after 10 rounds"):
            await client.call_tool("x")
    assert len(seen) == 1 + 11


# --- tools ------------------------------------------------------------------------------------

TOOLS = [
    {
        "name": "near",
        "inputSchema": {
            "type": "object",
            "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        },
    },
    {
        "name": "bad",
        "inputSchema": {
            "type": "object",
            "properties": {"n": {"type": "number", "x-mcp-header": "N"}},
        },
    },
    {
        "name": "typed",
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object", "required": ["n"]},
    },
]
LISTED = {"resultType": "complete", "tools": TOOLS, "ttlMs": 60_000, "cacheScope": "private"}


def with_tools(asked: Asked) -> bytes:
    if asked.method == "tools/list":
        return result(asked, LISTED)
    name = asked.message["params"]["name"]
    if name == "near" and "mcp-param-region" not in asked.headers:
        return error(asked, -32020, "400 Bad Request")
    if name == "typed":
        return result(asked, {**DONE, "structuredContent": asked.message["params"]["arguments"]})
    return result(asked, DONE)


async def test_arguments_in_headers_and_tools_that_are_hidden() -> None:
    async with http_server(modern(with_tools)) as (url, seen), Client(url) as client:
        assert [tool.name for tool in await client.list_tools()] == ["near", "typed"]
        await client.call_tool("near", {"region": "süd"})
        assert seen[-1].headers["mcp-param-region"] == "=?base64?c8O8ZA==?="
        assert seen[-1].headers["mcp-name"] == "near"


async def test_a_header_mismatch_makes_it_look_at_the_tools() -> None:
    async with http_server(modern(with_tools)) as (url, seen), Client(url) as client:
        await client.call_tool("near", {"region": "x"})
        methods = [asked.method for asked in seen]
        assert methods == ["server/discover", "tools/call", "tools/list", "tools/call"]


async def test_structured_output_is_checked() -> None:
    async with http_server(modern(with_tools)) as (url, _), Client(url) as client:
        assert (await client.call_tool("typed", {"n": 1})).structured_content == {"n": 1}
        with pytest.raises(InvalidOutput, match="missing required"):
            await client.call_tool("typed", {"m": 1})


async def test_lists_are_kept_as_long_as_they_say(autojump_clock: object) -> None:
    async with http_server(modern(with_tools)) as (url, seen), Client(url) as client:
        await client.list_tools()
        await client.list_tools()
        assert len(seen) == 2
        await trio.sleep(61)
        await client.list_tools()
        assert len(seen) == 3
