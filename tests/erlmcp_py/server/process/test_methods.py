"""The server process on the real kernel: every method, in both eras."""

from typing import Any

import pytest
from trio.testing import MockClock

import supervisors
from erlmcp_py.protocol.versions import LATEST, LEGACY, SUPPORTED
from erlmcp_py.server import Server
from supervisors import CrashReport

from ..conftest import Connect
from .conftest import ALL_VERSIONS


async def test_initialize_negotiates_the_version(server: Server, connect: Connect) -> None:
    peer = await connect(server, LEGACY[0])
    for asked, expected in [*zip(LEGACY, LEGACY, strict=True), ("2099-01-01", LEGACY[0])]:
        result = await peer.result(
            "initialize",
            {
                "protocolVersion": asked,
                "capabilities": {},
                "clientInfo": {"name": "c", "version": "1"},
            },
        )
        assert result["protocolVersion"] == expected
        assert result["serverInfo"]["name"] == "test"
        assert result["instructions"] == "Try."
        assert {"tools", "resources", "prompts", "logging"} <= set(result["capabilities"])


async def test_discover(server: Server, connect: Connect) -> None:
    result = await (await connect(server)).result("server/discover")
    assert result["supportedVersions"] == list(SUPPORTED)
    assert set(result["capabilities"]) == {
        "tools",
        "resources",
        "prompts",
        "completions",
        "logging",
    }
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"] == {
        "name": "test",
        "version": "1.2",
        "title": "Test",
    }


@pytest.mark.parametrize(
    ("version", "method"),
    [
        (LATEST, "initialize"),
        (LATEST, "ping"),
        (LATEST, "logging/setLevel"),
        (LATEST, "resources/subscribe"),
        (LEGACY[0], "server/discover"),
        (LEGACY[0], "nonsense"),
    ],
)
async def test_methods_of_the_other_era(
    server: Server, connect: Connect, version: str, method: str
) -> None:
    error = await (await connect(server, version)).error(method)
    assert (error["code"], method in error["message"]) == (-32601, True)


async def test_ping(server: Server, connect: Connect) -> None:
    assert await (await connect(server, LEGACY[0])).result("ping") == {}


@pytest.mark.parametrize(
    "method",
    [
        "tools/list",
        "tools/call",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
    ],
)
@ALL_VERSIONS
async def test_what_is_not_advertised_is_not_there(
    connect: Connect, version: str, method: str
) -> None:
    peer = await connect(Server("empty", version="1"), version)
    assert (await peer.error(method))["code"] == -32601


@ALL_VERSIONS
@pytest.mark.parametrize(
    ("method", "member", "key", "known"),
    [
        ("tools/list", "tools", "name", lambda s: list(s.tools)),
        ("resources/list", "resources", "uri", lambda s: list(s.resources)),
        ("resources/templates/list", "resourceTemplates", "uriTemplate", lambda s: [*s.templates]),
        ("prompts/list", "prompts", "name", lambda s: list(s.prompts)),
    ],
)
async def test_lists_in_pages(
    server: Server, connect: Connect, version: str, method: str, member: str, key: str, known: Any
) -> None:
    peer = await connect(server, version)
    found: list[str] = []
    params: dict[str, Any] = {}
    while True:
        result = await peer.result(method, params)
        assert len(result[member]) <= 7
        found += [item[key] for item in result[member]]
        if "nextCursor" not in result:
            break
        params = {"cursor": result["nextCursor"]}
    assert found == known(server)
    assert (await peer.error(method, {"cursor": "invented"}))["code"] == -32602


@ALL_VERSIONS
@pytest.mark.parametrize("name", ["add", "slow_add"])
async def test_a_call(
    autojump_clock: MockClock, server: Server, connect: Connect, version: str, name: str
) -> None:
    result = await (await connect(server, version)).tool(name, a=1, b=2.5)
    assert result["content"] == [{"type": "text", "text": '{"total":3.5}'}]
    if version >= "2025-06-18":
        assert result["structuredContent"] == {"total": 3.5}
    assert result.get("resultType") == ("complete" if version == LATEST else None)


@ALL_VERSIONS
async def test_content(server: Server, connect: Connect, version: str) -> None:
    result = await (await connect(server, version)).tool("picture")
    assert [block["type"] for block in result["content"]] == ["text", "image"]


@ALL_VERSIONS
async def test_failures_of_tools(
    autojump_clock: MockClock, server: Server, connect: Connect, version: str
) -> None:
    peer = await connect(server, version)
    for name in ("crash", "crash_later", "crash_in_thread"):
        assert await peer.failure(name) == f"Tool '{name}' crashed: ValueError: of no use"
    assert await peer.failure("leave") == "Tool 'leave' crashed: SystemExit: 3"
    assert "crashed" in await peer.failure("leave_later")
    assert "kaput" in await peer.failure("exit_later")
    assert await peer.failure("refuse") == await peer.failure("refuse_later") == "not today"
    assert "output schema: " in await peer.failure("lie")
    assert await peer.failure("hang") == "Tool 'hang' timed out after 2.5 s"
    assert (
        await peer.failure("add", a=1) == "Invalid arguments for tool 'add': "
        "missing required argument 'b'"
    )
    error = await peer.error("tools/call", {"name": "unknown"})
    assert (error["code"], "'unknown'" in error["message"]) == (-32602, True)
    error = await peer.error("tools/call", {"name": "protocol_error"})
    assert error == {"code": -31000, "message": "special", "data": {"why": "because"}}
    assert supervisors.is_alive(peer.pid)
    assert (await peer.tool("add", a=1, b=1))[
        "structuredContent" if version > "2025-06" else "content"
    ]


async def test_crashes_are_reported_to_the_operator(
    autojump_clock: MockClock, server: Server, connect: Connect
) -> None:
    peer = await connect(server)
    for name in ("crash", "crash_later", "crash_in_thread", "lie", "leave"):
        await peer.failure(name)
    await peer.failure("refuse")
    await peer.failure("hang")
    crashes = [report for report in peer.reports if isinstance(report, CrashReport)]
    assert [report.label for report in crashes] == [
        "test/tools/call:crash",
        "test/tools/call:crash_later",
        "test/tools/call:crash_in_thread",
        "test/tools/call:lie",
        "test/tools/call:leave",
    ]
    error, stack = crashes[0].reason
    assert isinstance(error, ValueError)
    assert "process/conftest.py" in str(stack)


async def test_arguments_are_optional(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    assert (await peer.result("tools/call", {"name": "refuse"}))["isError"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": 3}),
        ("resources/read", {}),
        ("prompts/get", {"name": "greet", "arguments": {"name": 3}}),
        ("prompts/get", {"name": "greet"}),
        ("prompts/get", {"name": "greet", "arguments": {"name": "a", "times": "x"}}),
        ("prompts/get", {"name": "greet", "arguments": {"name": "a", "tmes": "1"}}),
        ("prompts/get", {"name": "unknown"}),
        ("completion/complete", {}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}},
        ),
        ("tools/list", {"cursor": 3}),
    ],
)
@ALL_VERSIONS
async def test_bad_parameters(
    server: Server, connect: Connect, version: str, method: str, params: dict[str, Any]
) -> None:
    assert (await (await connect(server, version)).error(method, params))["code"] == -32602


@ALL_VERSIONS
async def test_reading(server: Server, connect: Connect, version: str) -> None:
    peer = await connect(server, version)

    async def read(uri: str) -> Any:
        (contents,) = (await peer.result("resources/read", {"uri": uri}))["contents"]
        return contents

    assert await read("test://text") == {
        "uri": "test://text",
        "mimeType": "text/plain",
        "text": "hello",
    }
    assert (await read("test://binary"))["blob"] == "iVBORw=="
    assert await read("test://items/3") == {
        "uri": "test://items/3",
        "mimeType": "application/json",
        "text": '{"number":3}',
    }


@ALL_VERSIONS
@pytest.mark.parametrize(
    "uri",
    [
        "test://nowhere",
        "test://items/x",
        "test://items/0",
        "test://items/99",
        "test://items/..",
        "",
    ],
)
async def test_resource_not_found(server: Server, connect: Connect, version: str, uri: str) -> None:
    error = await (await connect(server, version)).error("resources/read", {"uri": uri})
    assert error["code"] == (-32602 if version == LATEST else -32002)
    assert error["data"]["uri"] == uri


@ALL_VERSIONS
async def test_failures_without_a_result_form(
    autojump_clock: MockClock, server: Server, connect: Connect, version: str
) -> None:
    peer = await connect(server, version)
    error = await peer.error("resources/read", {"uri": "test://broken"})
    assert error["code"] == -32603
    assert "Resource 'test://broken' crashed: ValueError: torn" in error["message"]
    error = await peer.error("resources/read", {"uri": "test://slow"})
    assert "timed out after 1 s" in error["message"]
    error = await peer.error("prompts/get", {"name": "broken_prompt"})
    assert error["message"] == "Prompt 'broken_prompt' crashed: ValueError: torn"


@ALL_VERSIONS
async def test_prompts(server: Server, connect: Connect, version: str) -> None:
    peer = await connect(server, version)
    result = await peer.result(
        "prompts/get", {"name": "greet", "arguments": {"name": "Ada", "times": "2"}}
    )
    assert result["description"] == "Say hello."
    assert result["messages"] == [
        {"role": "user", "content": {"type": "text", "text": "Hello, Ada!Hello, Ada!"}}
    ]


@ALL_VERSIONS
async def test_completion(server: Server, connect: Connect, version: str) -> None:
    peer = await connect(server, version)

    async def complete(ref: dict[str, str], argument: str, **more: Any) -> Any:
        params = {"ref": ref, "argument": {"name": argument, "value": "x"}, **more}
        return (await peer.result("completion/complete", params))["completion"]

    greet = {"type": "ref/prompt", "name": "greet"}
    given = {"context": {"arguments": {"times": "3"}}}
    assert (await complete(greet, "name", **given))["values"] == ["xa", "times"]
    assert await complete(greet, "times") == {"values": [], "total": 0, "hasMore": False}
    items = await complete({"type": "ref/resource", "uri": "test://items/{number}"}, "number")
    assert (len(items["values"]), items["total"], items["hasMore"]) == (100, 200, True)
