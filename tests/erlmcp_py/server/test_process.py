"""The server process on the real kernel: both eras, crashes, timeouts, cancellation, counters."""

import math
import threading
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import trio
import trio.testing
from msgspec import Meta, Struct
from trio.testing import MockClock

import supervisors
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.versions import LATEST, LEGACY, SUPPORTED
from erlmcp_py.server import CallEnded, Context, ResourceNotFound, Server, ToolError, image
from erlmcp_py.server.at_work import MAX_THREADS
from erlmcp_py.server.process import Cancel, ServerProcess
from supervisors import CrashReport, sys

from .conftest import Connect, Peer


class Sum(Struct):
    total: float


@dataclass
class Gate:
    """Lets a thread handler wait for the test."""

    opened: threading.Event
    told: threading.Event


@pytest.fixture
def gate() -> Any:
    gate = Gate(threading.Event(), threading.Event())
    yield gate
    gate.opened.set()


@pytest.fixture
def server(gate: Gate) -> Server:
    server = Server("test", version="1.2", title="Test", instructions="Try.", page_size=7)

    @server.tool()
    def add(a: float, b: float) -> Sum:
        return Sum(a + b)

    @server.tool()
    async def slow_add(a: float, b: float) -> Sum:
        await trio.sleep(1)
        return Sum(a + b)

    @server.tool(isolation="thread", timeout=5)
    def wait_in_thread(ctx: Context) -> str:
        gate.opened.wait()
        try:
            ctx.report_progress(1)
        except CallEnded:
            gate.told.set()
            raise
        return threading.current_thread().name

    @server.tool()
    def crash() -> None:
        raise ValueError("of no\nuse")

    @server.tool()
    async def crash_later() -> None:
        async with trio.open_nursery():
            raise ValueError("of no\nuse")

    @server.tool(isolation="thread", timeout=math.inf)
    def crash_in_thread() -> None:
        raise ValueError("of no\nuse")

    @server.tool()
    def leave() -> None:
        raise SystemExit(3)

    @server.tool()
    async def leave_later() -> None:
        raise SystemExit(3)

    @server.tool()
    async def exit_later() -> None:
        raise supervisors.Exit("kaput")

    @server.tool()
    def refuse(later: bool = False) -> None:
        raise ToolError("not today")

    @server.tool()
    async def refuse_later() -> None:
        raise ToolError("not today")

    @server.tool()
    def protocol_error() -> None:
        raise McpError(-31000, "special", {"why": "because"})

    @server.tool()
    def lie() -> int:
        return "no number"  # type: ignore[return-value]

    @server.tool(timeout=2.5)
    async def hang() -> None:
        await trio.sleep_forever()

    @server.tool(timeout=2.5)
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    @server.tool()
    def picture() -> list[Any]:
        return ["see", image(b"x")]

    @server.resource("test://text")
    def text() -> str:
        return "hello"

    @server.resource("test://binary", mime_type="image/png")
    async def binary() -> bytes:
        return b"\x89PNG"

    @server.resource("test://broken")
    def broken() -> str:
        raise ValueError("torn")

    @server.resource("test://slow", timeout=1)
    async def slow() -> str:
        await trio.sleep_forever()
        return ""

    @server.resource("test://items/{number}")
    def item(number: Annotated[int, Meta(ge=1)]) -> dict[str, int]:
        if number > 9:
            raise ResourceNotFound(str(number))
        return {"number": number}

    @server.prompt(description="Say hello.")
    def greet(name: str, times: int = 1) -> str:
        return f"Hello, {name}!" * times

    @server.prompt()
    async def broken_prompt() -> str:
        raise ValueError("torn")

    @server.completion("greet", "name")
    def names(value: str, arguments: dict[str, str]) -> list[str]:
        return [value + "a", *arguments]

    @server.completion("test://items/{number}", "number")
    async def numbers(value: str) -> list[str]:
        return [value + str(n) for n in range(200)]

    return server


ALL_VERSIONS = pytest.mark.parametrize("version", SUPPORTED)


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
    assert "test_process.py" in str(stack)


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


async def call_tool(peer: Peer, id: int, name: str, arguments: dict[str, Any]) -> None:
    await peer.answer("tools/call", {"name": name, "arguments": arguments}, id=id)


async def test_slow_calls_do_not_hold_up_others(
    autojump_clock: MockClock, server: Server, connect: Connect
) -> None:
    peer = await connect(server)
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(call_tool, peer, number, "slow_add", {"a": 1, "b": 1})
        await trio.sleep(0.5)
        assert (await peer.info())["in_flight"] == 20
        await peer.tool("add", a=1, b=1)
        assert trio.current_time() == started + 0.5
    assert trio.current_time() == started + 1
    assert (await peer.info())["in_flight"] == 0


async def test_a_timeout_does_not_wait_for_a_handler_that_resists(
    autojump_clock: MockClock, server: Server, connect: Connect
) -> None:
    peer = await connect(server)
    started = trio.current_time()
    assert await peer.failure("stubborn") == "Tool 'stubborn' timed out after 2.5 s"
    assert trio.current_time() == started + 2.5


async def test_a_thread_that_hangs_is_abandoned_and_told(
    autojump_clock: MockClock, server: Server, connect: Connect, gate: Gate
) -> None:
    peer = await connect(server)
    answer = await peer.result("tools/call", {"name": "wait_in_thread"}, token="t")
    assert answer["content"][0]["text"] == "Tool 'wait_in_thread' timed out after 5 s"
    gate.opened.set()
    await trio.to_thread.run_sync(gate.told.wait)
    assert peer.notifications == []


async def test_hanging_threads_do_not_take_the_threads_of_others(
    autojump_clock: MockClock, server: Server, connect: Connect, gate: Gate
) -> None:
    peer = await connect(server)
    async with trio.open_nursery() as nursery:
        for number in range(MAX_THREADS + 1):
            nursery.start_soon(call_tool, peer, number, "wait_in_thread", {})
    other = await connect(server)
    assert "ValueError" in await other.failure("crash_in_thread")
    gate.opened.set()


class TestCancellation:
    async def start(self, peer: Peer, name: str, id: int) -> supervisors.RequestId:
        request = supervisors.send_request(
            peer.pid, peer.dispatch("tools/call", {"name": name}, id=id)
        )
        await trio.testing.wait_all_tasks_blocked()
        return request

    async def test_it_kills_the_process_of_the_call(
        self, autojump_clock: MockClock, server: Server, connect: Connect
    ) -> None:
        peer = await connect(server)
        done: list[Any] = []

        async def client() -> None:
            one = await self.start(peer, "hang", 1)
            two = await self.start(peer, "hang", 2)
            calls = {
                pid
                for pid in supervisors.current_runtime().processes()
                if supervisors.process_info(pid).label == "test/tools/call:hang"
            }
            assert len(calls) == 2
            supervisors.cast(peer.pid, Cancel((peer.pid, 1), "changed my mind"))
            answer = await supervisors.receive()
            await trio.testing.wait_all_tasks_blocked()
            done.append((answer[:2], answer[2].error.message))
            assert answer[1] == one
            assert sum(map(supervisors.is_alive, calls)) == 1
            assert (await peer.info())["tools"]["hang"]["in_flight"] == 1
            supervisors.cast(peer.pid, Cancel((peer.pid, 1)))
            answer = await supervisors.receive()
            assert answer[1] == two
            done.append(answer[2].result.content[0].text)

        await run_as_process(client)
        assert done[0][1] == "The request was cancelled: changed my mind"
        assert done[1] == "Tool 'hang' timed out after 2.5 s"
        counters = (await peer.info())["tools"]["hang"]
        assert (counters["cancelled"], counters["timeouts"], counters["in_flight"]) == (1, 1, 0)

    async def test_an_unknown_key_is_nothing(self, server: Server, connect: Connect) -> None:
        peer = await connect(server)
        supervisors.cast(peer.pid, Cancel((peer.pid, 77)))
        assert await peer.tool("add", a=1, b=1)


async def run_as_process(function: Any) -> None:
    """Run `function` as a process; its crash fails the test."""
    reasons: list[Any] = []
    ended = trio.Event()

    async def watcher() -> None:
        _, ref = supervisors.spawn_monitor(function)
        message = await supervisors.receive(lambda m: m[0] == "DOWN" and m[1] == ref)
        reasons.append(message[4])
        ended.set()

    supervisors.spawn(watcher)
    await ended.wait()
    assert reasons == ["normal"], [str(part) for part in reasons[0]]


async def test_stopping_the_server_answers_those_who_wait(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    answers: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def client() -> None:
            answers.append(await peer.error("tools/call", {"name": "hang"}))

        nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        await supervisors.stop(peer.pid)
    (error,) = answers
    assert (error["code"], error["message"]) == (-32603, "The server is stopping: normal")
    assert error["data"]["refusal"] == 1077
    await trio.testing.wait_all_tasks_blocked()
    assert supervisors.current_runtime().processes() == []


async def test_a_killed_server_takes_its_calls_along(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    reasons: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def client() -> None:
            with pytest.raises(supervisors.CallExit) as caught:
                await peer.answer("tools/call", {"name": "hang"})
            reasons.append(caught.value.cause)

        nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        supervisors.exit(peer.pid, "kill")
    assert reasons == ["killed"]
    await trio.testing.wait_all_tasks_blocked()
    assert supervisors.current_runtime().processes() == []


async def test_a_supervisor_restarts_it_under_its_name(server: Server) -> None:
    class Top(supervisors.Supervisor):
        def init(self) -> Any:
            return supervisors.SupFlags(), [ServerProcess.child_spec(server, "test", name="test")]

    async def scenario() -> None:
        await Top.start_link()
        first = supervisors.whereis("test")
        peer = Peer(first)
        assert await peer.tool("add", a=1, b=1)
        supervisors.exit(first, "kill")
        await trio.testing.wait_all_tasks_blocked()
        second = supervisors.whereis("test")
        assert second not in (None, first)
        assert await Peer(second).tool("add", a=1, b=1)

    async with supervisors.Runtime():
        await run_as_process(scenario)


async def test_statistics(autojump_clock: MockClock, server: Server, connect: Connect) -> None:
    peer = await connect(server)
    await peer.tool("add", a=1, b=1)
    await peer.failure("add", a=1)
    await peer.failure("crash")
    await peer.failure("hang")
    await peer.failure("refuse_later")
    await peer.error("tools/call", {"name": "unknown"})
    info = await peer.info()
    zero = {
        "calls": 1,
        "errors": 0,
        "crashes": 0,
        "timeouts": 0,
        "cancelled": 0,
        "in_flight": 0,
    }
    assert info["tools"] == {
        "add": {**zero, "calls": 2, "errors": 1},
        "crash": {**zero, "crashes": 1},
        "hang": {**zero, "timeouts": 1},
        "refuse_later": {**zero, "errors": 1},
    }
    assert (info["requests"], info["refused"], info["in_flight"]) == (6, 1, 0)
    assert (info["name"], info["version"]) == ("test", "1.2")
    assert info["defined"] == {
        "tools": len(server.tools),
        "resources": 4,
        "templates": 1,
        "prompts": 2,
    }


async def test_the_shell_sees_facts(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    assert supervisors.process_info(peer.pid).label == "server test"
    assert "'requests': 0" in repr(await sys.get_status(peer.pid))


async def test_strange_messages_change_nothing(server: Server, connect: Connect) -> None:
    peer = await connect(server)
    assert (await supervisors.call(peer.pid, "what?"))[0] == "error"
    supervisors.cast(peer.pid, "what?")
    supervisors.send(peer.pid, ("EXIT", peer.pid, "strange"))
    supervisors.send(peer.pid, 3)
    assert await peer.tool("add", a=1, b=1)
