"""HTTP+SSE, the transport of 2024-11-05: how sessions end, and what crashes cost."""

from __future__ import annotations

import trio

from erlmcp_py import registry
from erlmcp_py.subscriptions import NAME as SUBSCRIPTIONS
from erlmcp_py.subscriptions import statistics as subscriptions
from erlmcp_py.transports.http.request import HttpLimits
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.supervisor import connections
from supervisors import stop as stop_process
from supervisors import whereis
from tests.erlmcp_py.transports.http.client import (
    Sse,
    connect,
    legacy_call,
)
from tests.erlmcp_py.transports.http.legacy_sse import (
    HTTP,
    eventually,
    idle,
    make,
    notification,
    request,
    session,
    streaming,
)
from tests.erlmcp_py.transports.node import Probe, kill, node, open_descriptors, until

# --- endings ------------------------------------------------------------------------------------


async def test_the_session_ends_with_its_stream_and_its_calls_with_it() -> None:
    probe = Probe()
    async with node({"probe": make(probe)}, child_spec(HTTP)):
        before = open_descriptors()
        async with connect() as poster:
            async with connect() as reader:
                sse = await Sse(reader, poster).open()
                await sse.shake_hands()
                await sse.say(legacy_call("hang", 5))
                await probe.started.wait()
            with trio.fail_after(5):
                await probe.cancelled.wait()
            assert (await sse.post(request(1, "ping"))).status == 404
        await eventually(idle)
        assert (await subscriptions()).subscriptions == 0
        await until(lambda: open_descriptors() == before)


async def test_a_node_that_stops_ends_the_stream_as_it_should_be() -> None:
    async with node({"probe": make()}, child_spec(HTTP)), session() as sse:
        assert await sse.text("echo", text="x") == "x"
        await stop_process("http", "shutdown")
        assert await sse.ended()
        assert await sse.reader.closed()


async def test_who_does_not_read_is_let_go_and_nobody_else() -> None:
    config = ListenerConfig(port=0, idle_timeout=0.2)
    async with (
        node({"probe": make()}, child_spec(config)),
        session() as deaf,
        session() as sse,
    ):
        uri = deaf.uri
        await deaf.say(legacy_call("flood", 1, count=3000))

        async def unknown() -> bool:
            async with connect() as poster:
                return (await poster.ask("POST", uri, request(2, "ping"))).status == 404

        await eventually(unknown)
        async with connect() as sse.poster:
            assert await sse.text("echo", text="x") == "x"


async def test_who_posts_and_does_not_read_is_told_to_wait() -> None:
    config = ListenerConfig(port=0, limits=HttpLimits(max_body=1000))
    async with node({"probe": make()}, child_spec(config)), session() as sse:
        await sse.say(legacy_call("flood", 1, count=3000))
        note = notification("notifications/roots/list_changed", _meta={"x": "x" * 300})
        with trio.fail_after(10):
            while (answer := await sse.post(note)).status == 202:
                pass
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json["error"]["message"]
        while (await sse.message()).get("id") != 1:
            pass
        for _ in range(10):
            assert await sse.text("echo", text="x") == "x"


# --- crashes ------------------------------------------------------------------------------------


async def test_the_process_of_a_session_is_killed() -> None:
    probe = Probe()
    async with (
        node({"probe": make(probe)}, child_spec(HTTP)),
        session() as sse,
        session() as neighbour,
    ):
        await sse.say(legacy_call("hang", 5))
        await probe.started.wait()
        mine, _ = await streaming()
        await kill(mine)
        assert await sse.reader.closed()
        with trio.fail_after(5):
            await probe.cancelled.wait()
        assert (await sse.post(request(1, "ping"))).status == 404
        assert await neighbour.text("echo", text="x") == "x"
        async with session() as again:
            assert await again.text("echo", text="x") == "x"


async def test_the_connection_that_posts_is_killed() -> None:
    async with node({"probe": make()}, child_spec(HTTP)), session() as sse:
        held = await streaming()
        for each in await connections("http"):
            if each.pid not in held:
                await kill(each.pid)
        assert await sse.poster.closed()
        async with connect() as sse.poster:
            assert await sse.text("echo", text="x") == "x"


async def test_the_server_is_killed_while_it_works() -> None:
    probe = Probe()
    async with node({"probe": make(probe)}, child_spec(HTTP)), session() as sse:
        await sse.say(legacy_call("hang", 5))
        await probe.started.wait()
        await kill(await registry.lookup("probe"))
        lost = await sse.message()
        assert (lost["id"], lost["error"]["code"]) == (5, -32603)
        assert await sse.text("echo", text="x") == "x"


async def test_the_process_that_tells_of_changes_is_killed() -> None:
    server = make()
    async with node({"probe": server}, child_spec(HTTP)), session() as sse:
        await kill(whereis(SUBSCRIPTIONS))
        told = {(await sse.message())["method"] for _ in range(3)}
        assert all(method.endswith("list_changed") for method in told)
        server.remove_tool("echo")
        assert (await sse.message())["method"] == "notifications/tools/list_changed"


async def test_all_connections_are_killed() -> None:
    async with node({"probe": make()}, child_spec(HTTP)):
        async with session() as sse:
            await kill(whereis("http_connections"))
            assert await sse.reader.closed()
            uri = sse.uri
        await until(lambda: whereis("http_listener"))
        async with connect() as poster:
            assert (await poster.ask("POST", uri, request(1, "ping"))).status == 404
        async with session() as again:
            assert await again.text("echo", text="x") == "x"
