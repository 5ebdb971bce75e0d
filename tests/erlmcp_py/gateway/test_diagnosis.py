"""Programs that are no MCP servers, and addresses where there is none: what is said of them, and what to do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from erlmcp_py.client import ConnectError
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import overview
from erlmcp_py.gateway.diagnosis import explain
from erlmcp_py.protocol.errors import McpError

from .upstreams import Gateway, gateway, program

ONE_LINE = re.compile(r"^[^\n\\]*$")
PORT = "does it speak MCP on standard input and output? One that listens on a port needs its `url`"
INPUT = "an MCP server goes on until its input ends: is this the right program, with the right arguments?"
GREETS = """
import json
for _ in range(2):
    asked = json.loads(input())
    greeted = asked["method"] == "initialize"
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "a", "version": "1"}}
    refused = {"code": -32601, "message": "no"}
    answer = {"result": hello} if greeted else {"error": refused}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
    if greeted:
        break
input()
"""
"""Says who it is, and ends."""


async def reason() -> str:
    """Why the one upstream is not up, once that is known."""
    with trio.fail_after(20):
        while True:
            (upstream,) = (await overview.served()).values()
            found = upstream.standing().reason
            if found is not None:
                return found
            await trio.sleep(0.01)


async def refusal(node: Gateway) -> str:
    """What a caller is told, when it is down."""
    with trio.fail_after(20):
        while True:
            try:
                async with node.at("bad") as client:
                    await client.list_tools()
            except (ConnectError, McpError) as problem:
                if "is down" in str(problem):
                    return str(problem)
            await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            ("cat",),
            "it sends back what it is sent, which no MCP server does: is this the program that was meant?",
        ),
        (("true",), f"true ended with status 0; {INPUT}"),
        (("false",), "false ended with status 1; it did not say why: run the command by hand"),
        (
            ("sh", "-c", "echo usage >&2; exit 2"),
            "sh ended with status 2; it said: usage",
        ),
        (
            ("yes",),
            (
                "the server sends no messages but 'y'; only MCP belongs on standard output: is this an MCP "
                "server, and where does it write its log?"
            ),
        ),
        (
            ("sleep", "1000"),
            f"no answer to initialize within 0.5 s, nor to server/discover; {PORT}",
        ),
        (
            ("sh", "-c", "echo 'proceed? ' >&2; sleep 1000"),
            f"no answer to initialize within 0.5 s, nor to server/discover; it said: proceed?; {PORT}",
        ),
    ],
)
async def test_a_program_that_is_no_server(command: tuple[str, ...], expected: str) -> None:
    timeout = 0.5 if "no answer" in expected else 10.0
    config = UpstreamConfig(command=command, timeout=timeout, restarts=0)
    async with gateway({"bad": config}) as node:
        assert await reason() == expected
        assert expected in await refusal(node)


async def test_what_has_worked_is_not_taken_for_another_program() -> None:
    async with gateway({"bad": program(GREETS)}):
        assert (await reason()).endswith("ended with status 0")


def answering(status: str, kind: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


@asynccontextmanager
async def web(answer: bytes) -> AsyncIterator[int]:
    """A port where everybody who says something gets this."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await stream.receive_some()
            await stream.send_all(answer)
            await stream.send_eof()
            async for _ in stream:
                pass
        except (trio.BrokenResourceError, OSError):
            return

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


PATH = "there is no MCP at this path, which often ends in /mcp"


@pytest.mark.parametrize(
    ("answer", "headers", "expected"),
    [
        (
            answering("200 OK", "text/html", "<html></html>"),
            {},
            "that is a web page: is the path right? It often ends in /mcp",
        ),
        (answering("200 OK", "application/json", "{}"), {}, "what answers there is no MCP server"),
        (answering("404 Not Found", "text/plain", "gone"), {}, f"HTTP 404: gone; {PATH}"),
        (answering("405 Not Allowed", "text/html", "<p>"), {}, f"HTTP 405; {PATH}"),
        (
            answering("401 Unauthorized", "text/plain", "who?"),
            {},
            "HTTP 401: who?; it has to be told who asks, by `headers` or `auth`",
        ),
        (
            answering("401 Unauthorized", "text/plain", "who?"),
            {"X-Key": "k"},
            "HTTP 401: who?; the `headers` or `auth` that it is sent do not let this node in",
        ),
        (
            answering("403 Forbidden", "text/html", "<p>"),
            {},
            "HTTP 403; it does not let this node in; `headers` or `auth` say who asks",
        ),
        (
            answering("500 Server Error", "text/html", "<p>"),
            {},
            "HTTP 500; the fault is at its end; its own log should say more",
        ),
        (
            b"",
            {},
            "the connection ended before an answer; if TLS is spoken there, it is https and not http",
        ),
        (
            b"220 mail.example ESMTP\r\n\r\n",
            {},
            "HTTP/1.1: '220 mail.example ESMTP'; another service has this port",
        ),
    ],
)
async def test_an_address_where_there_is_no_server(
    answer: bytes, headers: dict[str, str], expected: str
) -> None:
    async with web(answer) as port:
        config = UpstreamConfig(url=f"http://127.0.0.1:{port}/page", headers=headers, restarts=0)
        async with gateway({"bad": config}) as node:
            found = await reason()
            assert found.endswith(expected)
            assert ONE_LINE.match(found)
            assert expected in await refusal(node)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "http://127.0.0.1:1/mcp",
            (
                "http://127.0.0.1:1: no connection: Connection refused; nobody listens there: does it run, is "
                "this its port?"
            ),
        ),
        (
            "http://no-such-host.invalid/mcp",
            "; nobody knows a machine of this name: is it spelt right?",
        ),
    ],
)
async def test_an_address_where_there_is_nobody(url: str, expected: str) -> None:
    async with gateway({"bad": UpstreamConfig(url=url)}):
        assert (await reason()).endswith(expected)


async def test_https_where_no_tls_is_spoken() -> None:
    async with (
        web(answering("400 Bad Request", "text/plain", "no")) as port,
        gateway({"bad": UpstreamConfig(url=f"https://127.0.0.1:{port}/mcp")}),
    ):
        found = await reason()
    assert found == (
        f"https://127.0.0.1:{port}: no connection: wrong version number; no TLS is spoken there: is it http "
        "and not https?"
    )


def test_what_is_not_known_is_told_as_it_came() -> None:
    for is_program in (True, False):
        for text in (
            "it hangs: no answer to a ping within 10 s",
            "it was lost",
            "me has restarted it",
        ):
            assert explain(text, is_program=is_program, credentials=True, said="words") == text


def test_of_long_last_words_the_ends_are_shown() -> None:
    text = explain(
        "no answer to initialize within 30 s",
        is_program=True,
        credentials=False,
        said=f"sh: 1: {'x' * 1000}: not found",
    )
    assert re.search(r"it said: sh: 1: x+…x+: not found; ", text)
    assert len(text) < 400


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            (
                "https://a.example: no connection: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
                "self-signed certificate (_ssl.c:1006)"
            ),
            (
                "https://a.example: no connection: certificate verify failed: self-signed certificate; this node "
                "trusts what the system does, or the certificates in the file that SSL_CERT_FILE names"
            ),
        ),
    ],
)
def test_what_libraries_say_is_told_without_their_places(reason: str, told: str) -> None:
    assert explain(reason, is_program=False, credentials=False, said=None) == told
