"""Modern requests over a real socket."""

from __future__ import annotations

import json

import pytest
import trio

from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.outlet import UNREAD
from tests.erlmcp_py.transports.http.client import MODERN, connect, http, meta, modern_call
from tests.erlmcp_py.transports.node import Probe, make_server, node

HTTP = ListenerConfig(port=0)


async def test_a_plain_tool_answers_in_json() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        for number in range(3):
            answer = await client.call("echo", number, text=f"hi {number}")
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.json["id"] == number
            assert answer.text == f"hi {number}"


async def test_an_async_tool_that_does_not_notify_answers_in_json() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.call("later", text="x")
        assert answer.headers["content-type"] == "application/json"
        assert answer.text == "x"
        assert (await client.call("echo", text="y")).text == "y"


async def test_progress_makes_a_stream_that_ends_with_the_result() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.call("steps", 7, count=3, meta={"progressToken": "t"})
        assert answer.headers["x-accel-buffering"] == "no"
        *progress, result = answer.events
        assert [event["params"]["progress"] for event in progress] == [0, 1, 2]
        assert {event["params"]["progressToken"] for event in progress} == {"t"}
        assert result["id"] == 7
        assert answer.text == "3 steps"
        assert (await client.call("echo", text="after")).text == "after"


async def test_a_handler_cannot_fill_the_mailbox_with_news() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.call("steps", count=3 * UNREAD, meta={"progressToken": "t"})
        *progress, _ = answer.events
        assert [event["params"]["progress"] for event in progress] == list(range(UNREAD))
        assert answer.text == f"{3 * UNREAD} steps"


async def test_log_lines_only_on_request() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        quiet = await client.call("log_lines")
        assert quiet.headers["content-type"] == "application/json"
        wanted = {"io.modelcontextprotocol/logLevel": "info"}
        loud = await client.call("log_lines", meta=wanted)
        assert loud.events[0]["method"] == "notifications/message"


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        wire = b"".join(
            http("POST", **modern_call(tool, number, text=str(number)))
            for number, tool in enumerate(["echo", "later", "echo", "echo", "later"])
        )
        await client.send(wire)
        answers = [await client.answer() for _ in range(5)]
        assert [answer.json["id"] for answer in answers] == [0, 1, 2, 3, 4]
        assert [answer.text for answer in answers] == ["0", "1", "2", "3", "4"]


async def test_disconnecting_cancels() -> None:
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(HTTP)):
        async with connect() as client:
            await client.send(http("POST", **modern_call("hang")))
            await probe.started.wait()
        with trio.fail_after(5):
            await probe.cancelled.wait()


async def test_disconnecting_from_an_open_stream_cancels() -> None:
    probe = Probe()
    config = ListenerConfig(port=0, sse_delay=0.01, keep_alive=0.01)
    async with node({"probe": make_server(probe)}, child_spec(config)):
        async with connect() as client:
            await client.send(http("POST", **modern_call("hang")))
            _, headers = await client.head()
            assert headers["content-type"] == "text/event-stream"
            assert await client.chunk() == b": keep-alive\n\n"
            assert await client.chunk() == b": keep-alive\n\n"
        with trio.fail_after(5):
            await probe.cancelled.wait()


async def test_bytes_sent_during_a_call_wait_for_their_turn() -> None:
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(HTTP)), connect() as client:
        await client.send(http("POST", **modern_call("patient", 1, seconds=0.05)))
        await probe.started.wait()
        await client.send(http("POST", **modern_call("echo", 2, text="next")))
        assert (await client.answer()).text == "done"
        assert (await client.answer()).text == "next"


async def test_servers_by_name() -> None:
    servers = {"one": make_server(Probe()), "two": make_server(Probe())}
    async with node(servers, child_spec(HTTP)), connect() as client:
        assert (await client.ask(**modern_call("echo", text="a", path="/mcp/two"))).text == "a"
        missing = await client.ask(**modern_call("echo", text="a", path="/mcp/three"))
        assert missing.status == 404
        assert "'three'" in missing.json["error"]["message"]


async def test_discover() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.ask(
            body={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "server/discover",
                "params": {"_meta": meta()},
            },
            headers={"MCP-Protocol-Version": MODERN, "Mcp-Method": "server/discover"},
        )
        assert MODERN in answer.json["result"]["supportedVersions"]


async def test_a_crash_is_a_tool_error_and_the_next_call_works() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        crashed = await client.call("crash")
        assert crashed.status == 200
        assert crashed.json["result"]["isError"]
        assert (await client.call("echo", text="x")).text == "x"


VERSION = {"MCP-Protocol-Version": MODERN}
ECHO = modern_call("echo", text="x")


def variant(headers: dict[str, str | None] | None = None, **params: object) -> bytes:
    body = json.loads(json.dumps(ECHO["body"]))
    for key, value in params.items():
        if value is None:
            del body["params"][key]
        else:
            body["params"][key] = value
    merged = {k: v for k, v in {**ECHO["headers"], **(headers or {})}.items() if v is not None}
    return http("POST", "/mcp", body, merged)


@pytest.mark.parametrize(
    ("wire", "status", "code"),
    [
        (variant({"Mcp-Method": None}), 400, -32020),
        (variant({"Mcp-Method": "tools/list"}), 400, -32020),
        (variant({"Mcp-Name": None}), 400, -32020),
        (variant({"Mcp-Name": "other"}), 400, -32020),
        (variant({"Mcp-Name": "=?base64?!!?="}), 400, -32020),
        (variant({"MCP-Protocol-Version": "2099-01-01"}), 400, -32020),
        (variant({"MCP-Protocol-Version": None}), 400, -32020),
        (variant(_meta=None), 400, -32602),
        (variant({"MCP-Protocol-Version": "2099-01-01"}, _meta=None), 400, -32602),
        (
            variant(
                {"MCP-Protocol-Version": "2099-01-01"},
                _meta=meta() | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"},
            ),
            400,
            -32022,
        ),
        (variant({"Mcp-Name": "nobody"}, name="nobody"), 400, -32602),
        (
            http(
                "POST",
                "/mcp",
                {"jsonrpc": "2.0", "id": 1, "method": "no/such", "params": {"_meta": meta()}},
                VERSION | {"Mcp-Method": "no/such"},
            ),
            404,
            -32601,
        ),
        (http("POST", "/mcp", b"{", VERSION), 400, -32700),
        (http("POST", "/mcp", b"[]", VERSION), 400, -32600),
        (http("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "result": {}}, VERSION), 400, -32600),
    ],
)
async def test_the_ladder(wire: bytes, status: int, code: int) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        await client.send(wire)
        answer = await client.answer()
        assert (answer.status, answer.json["error"]["code"]) == (status, code), answer.body
        assert (await client.call("echo", text="still here")).text == "still here"


async def test_the_base64_form_of_a_name_is_understood() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        await client.send(variant({"Mcp-Name": "=?base64?ZWNobw==?="}))
        assert (await client.answer()).text == "x"


async def test_a_notification_is_accepted() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.ask(
            body={"jsonrpc": "2.0", "method": "notifications/x"},
            headers=VERSION | {"Mcp-Method": "notifications/x"},
        )
        assert (answer.status, answer.body) == (202, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        answer = await client.ask(method, headers=VERSION)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_white_space_around_header_values_does_not_count() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        request = modern_call("echo", text="hi")
        request["headers"] = {name: f"  {v} \t " for name, v in request["headers"].items()}
        assert (await client.ask(**request)).text == "hi"
