"""Upstreams come, change and go while the node serves the others."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry, sessions, subscriptions
from erlmcp_py.application import start_node
from erlmcp_py.client import Client, ClientError, ConnectError
from erlmcp_py.config import (
    Config,
    ConfigError,
    DrainConfig,
    EnvReference,
    HttpConfig,
    LogConfig,
    ServerConfig,
    TcpConfig,
    UpstreamConfig,
)
from erlmcp_py.gateway import keeping, overview, reloading
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.process import start_face
from erlmcp_py.gateway.reloading import Reloaded
from erlmcp_py.guards import drain
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.parts import Parts
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.server import Server
from erlmcp_py.tree import child_specs
from supervisors import (
    CallExit,
    Ignore,
    Runtime,
    application,
    call,
    current_runtime,
    exit_signal,
    spawn,
    whereis,
)
from supervisors.testing import restart_of

from .upstreams import EXITS, OLD, Gateway, program, said

UNTIL = "while not os.path.exists(arguments['until']): time.sleep(0.01)\n            "
WAITS = OLD.replace('elif name == "hang":\n            time.sleep(3600)', f"""elif name == "hang":
            {UNTIL}answer(asked, text("done"))""")  # fmt: skip
"""As `OLD`; its tool `hang` does so until there is a file."""
assert WAITS != OLD
OTHER = OLD.replace('"name": "old"', '"name": "other"')

pytestmark = pytest.mark.usefixtures("soon")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readings of a configuration come one after the other."""
    monkeypatch.setattr(reloading, "PAUSE", 0.001)


class Node(Gateway):
    """A node whose configuration can be written anew. source: reads it."""

    def __init__(self, config: Config) -> None:
        super().__init__(0)
        self.written: Config | Exception = config
        self.source = self._read

    def read(self) -> Config:
        return self.source()

    def _read(self) -> Config:
        if isinstance(self.written, Exception):
            raise self.written
        return self.written

    def write(self, upstreams: Mapping[str, UpstreamConfig], **sections: Any) -> None:
        assert isinstance(self.written, Config)
        self.written = msgspec.structs.replace(self.written, upstreams=dict(upstreams), **sections)

    async def reload(self, deadline: float = 20.0) -> Reloaded:
        return await reloading.reload("a test", deadline, 60.0)

    async def have(
        self, upstreams: Mapping[str, UpstreamConfig], deadline: float = 20.0, **sections: Any
    ) -> list[str]:
        """Write this and have it read; what has changed, line by line."""
        self.write(upstreams, **sections)
        return (await self.reload(deadline)).lines()


@asynccontextmanager
async def reloadable(
    upstreams: Mapping[str, UpstreamConfig], server: Server | None = None, **sections: Any
) -> AsyncIterator[Node]:
    """A node with these upstreams, and a server of its own."""
    named = () if server is None else (ServerConfig(name=server.name, target="somewhere:server"),)
    config = msgspec.structs.replace(
        Config(),
        http=HttpConfig(port=0),
        log=sections.pop("log", LogConfig(level="critical")),
        servers=named,
        upstreams=dict(upstreams),
        **sections,
    )
    node = Node(config)
    servers = {} if server is None else {server.name: server}
    async with Runtime("test"):
        with trio.fail_after(20):
            parts = Parts(servers, None, lambda _: None, again=node.read)
            await start_node(child_specs(config, parts))
            node.port = (await registry.transports())["http"].info["port"]
        try:
            with trio.fail_after(60):
                yield node
        finally:
            with trio.CancelScope(shield=True):
                await application.stop_all()


async def pid_of(client: Client, tool: str = "pid") -> int:
    return int(said(await client.call_tool(tool)))


async def names(client: Client) -> set[str]:
    """The upstreams whose tools are there."""
    page, _ = await client.forward("tools/list", {})
    return {one["name"].split("_")[0] for one in json.loads(bytes(page.result))["tools"]}


async def gone(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():  # noqa: ASYNC240 - it is no file on a disk
        await trio.sleep(0.01)


async def refused_at(node: Node, name: str) -> str:
    with pytest.raises(ConnectError) as refused:
        async with node.at(name):
            pass
    return str(refused.value)


async def refused_later(client: Client) -> None:
    """Wait until a client that was let in is refused, or finds nobody any more."""
    while True:
        try:
            await client.call_tool("echo", timeout=1)
        except (McpError, ClientError):
            return
        await trio.sleep(0.01)


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_one_that_is_added_is_served_and_one_that_is_removed_is_unknown(mode: str) -> None:
    one = program(OLD)
    async with (
        reloadable({"one": one}) as node,
        node.at(mode=mode) as every,
        node.at("one", mode=mode) as first,
        every.subscribe(tools=True) as changes,
    ):
        before = await pid_of(first)
        assert "no server 'two'" in await refused_at(node, "two")
        assert await node.have({"one": one, "two": program(OLD)}) == ["added: two"]
        assert (await anext(changes)).kind == "tools"
        async with node.at("two", mode=mode) as second:
            added = await pid_of(second)
            assert await pid_of(every, "two_pid") == added
            assert await names(every) == {"one", "two"}
            assert await node.have({"two": program(OLD)}) == ["removed: one"]
            await gone(before)
            assert await pid_of(second) == added
        while await names(every) != {"two"}:
            await anext(changes)
        with pytest.raises(McpError, match="Unknown tool: one_pid"):
            await every.call_tool("one_pid")
        assert "no server 'one'" in await refused_at(node, "one")
        await refused_later(first)


async def test_a_subscription_to_one_that_is_removed_ends() -> None:
    async with (
        reloadable({"one": program(OLD), "two": program(OLD)}) as node,
        node.at("one", mode="modern") as client,
        client.subscribe(tools=True) as changes,
    ):
        await node.have({"two": program(OLD)})
        with pytest.raises((McpError, ClientError)):
            while True:
                await anext(changes)


async def test_what_its_program_is_started_with_starts_it_anew_and_its_clients_stay() -> None:
    other = program(OLD)
    async with (
        reloadable({"one": program(OLD), "two": other}) as node,
        node.at("one", mode="legacy") as client,
        node.at("two") as untouched,
    ):
        before, kept = await pid_of(client), await pid_of(untouched)
        changed = program(OLD, env={"A": "b"})
        assert await node.have({"one": changed, "two": other}) == ["started anew: one (env)"]
        await gone(before)
        assert await pid_of(client) != before
        assert await pid_of(untouched) == kept
        assert await node.have({"one": changed, "two": other}) == ["nothing has changed"]


async def test_what_another_program_offers_is_known_while_the_old_one_still_works() -> None:
    more = OLD.replace('"count")]', '"count", "fresh")]')
    assert more != OLD
    async with (
        reloadable({"one": program(OLD)}) as node,
        node.at("one", mode="legacy") as client,
        client.subscribe(tools=True) as changes,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(client.call_tool, "never")
        await in_flight({"one": 1})
        node.write({"one": program(more, pool=2)})
        nursery.start_soon(node.reload)
        while "fresh" not in [tool.name for tool in await client.list_tools()]:
            await anext(changes)
        assert (await call("server_one", ("info",)))["in_flight"] == 1
        nursery.cancel_scope.cancel()


async def test_what_an_old_program_still_says_of_its_lists_counts_no_more(tmp_path: Path) -> None:
    says = WAITS.replace(
        'answer(asked, text("done"))',
        'tell("notifications/tools/list_changed"); answer(asked, text("done"))',
    )
    more = OLD.replace('"count")]', '"count", "fresh")]')
    async with (
        reloadable({"one": program(says)}) as node,
        node.at("one", mode="legacy") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(client.call_tool, "never")
        async with trio.open_nursery() as calls:
            calls.start_soon(client.call_tool, "hang", {"until": str(tmp_path / "now")})
            await in_flight({"one": 2})
            node.write({"one": program(more)})
            nursery.start_soon(node.reload)
            while b'"fresh"' not in await tools(client):
                await trio.sleep(0.01)
            (tmp_path / "now").touch()
        for _ in range(50):
            assert b'"fresh"' in await tools(client)
        nursery.cancel_scope.cancel()


async def tools(client: Client) -> bytes:
    page, _ = await client.forward("tools/list", {})
    return bytes(page.result)


async def test_nothing_is_left_of_instances_that_were_replaced() -> None:
    async with (
        reloadable({"one": program(OLD, pool=2)}) as node,
        node.at("one", mode="legacy") as client,
    ):
        await pid_of(client)  # this session belongs to one of them from now on
        upstream = (await overview.served())["one"]
        for each in upstream.instances:
            upstream.errands.begun(each.number, "a", raw({"taskId": "a"}), current_runtime().now())
        before = [weakref.ref(each) for each in upstream.instances]
        del each
        await node.have({"one": program(OTHER, pool=2)})
        assert not upstream.errands.are_left(current_runtime().now())
        while any(one() is not None for one in before):
            await trio.sleep(0.01)
            gc.collect()


async def test_the_server_of_one_that_is_removed_does_not_come_back() -> None:
    face = Face("one", (), together=False)
    face.is_removed = True
    with pytest.raises(Ignore):
        await start_face(face, InFlight(), 10)


async def state(name: str) -> Any:
    return (await call(f"server_{name}", ("info",)))["upstreams"][name]


async def test_one_that_sleeps_is_changed_in_its_sleep_and_wakes_as_another_one() -> None:
    async with reloadable({"one": program(EXITS, on_demand=True)}) as node:
        assert (await state("one"))["state"] == "asleep"
        lazy = program(OLD, on_demand=True)
        assert await node.have({"one": lazy, "two": lazy}) == [
            "added: two",
            "started anew: one (command)",
        ]
        assert [(await state(name))["state"] for name in ("one", "two")] == ["asleep"] * 2
        async with node.at("one") as client:
            assert await pid_of(client)
        assert (await state("two"))["pid"] is None
        assert await node.have({"one": lazy, "two": program(OLD)}) == ["adjusted: two (on_demand)"]
        while (await state("two"))["state"] != "up":
            await trio.sleep(0.01)


async def test_a_pool_grows_and_shrinks_under_its_clients() -> None:
    async with reloadable({"one": program(OLD)}) as node, node.at("one") as client:
        before = await pid_of(client)
        for size in (3, 1, 2):
            assert await node.have({"one": program(OLD, pool=size)}) == ["started anew: one (pool)"]
            await gone(before)
            before = await pid_of(client)


async def test_settings_count_without_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "WEIGHING", 0.1)
    async with reloadable({"one": program(OLD)}) as node, node.at("one") as client:
        before = await pid_of(client)
        adjusted = program(OLD, timeout=0.2, ping_interval=0.1, memory_limit=1 << 30)
        told = (await subscriptions.statistics()).published
        lines = await node.have({"one": adjusted})
        assert (await subscriptions.statistics()).published == told
        assert lines == ["adjusted: one (timeout, ping_interval, memory_limit)"]
        assert await pid_of(client) == before
        with pytest.raises(McpError, match=r"no answer within 0\.2 s"):
            await client.call_tool("never")
        await node.have({"one": program(OLD, memory_limit=1 << 20, ping_interval=0.1)})
        await gone(before)


async def test_what_its_tools_are_called_changes_under_its_clients() -> None:
    async with (
        reloadable({"one": program(OLD)}) as node,
        node.at("one") as client,
        node.at() as every,
        client.subscribe(tools=True) as alone,
        every.subscribe(tools=True) as together,
    ):
        before = await pid_of(client)
        named = program(OLD, allow=("pid", "echo"), rename={"pid": "who"}, prefix="my")
        assert await node.have({"one": named}) == ["adjusted: one (allow, rename, prefix)"]
        assert (await anext(alone)).kind == "tools"
        assert {tool.name for tool in await client.list_tools()} == {"who", "echo"}
        assert await pid_of(client, "who") == before
        assert (await anext(together)).kind == "tools"
        assert {tool.name for tool in await every.list_tools()} == {"my_who", "my_echo"}
        with pytest.raises(McpError, match="Unknown tool: one_pid"):
            await every.call_tool("one_pid")
        await node.have({"one": program(OLD)})
        assert await pid_of(every, "one_pid") == before


async def test_more_time_counts_for_its_start_too() -> None:
    slow = "import time\ntime.sleep(0.5)\n" + OLD
    async with reloadable({"one": program(slow, timeout=0.1, restarts=1000)}) as node:
        while (await state("one"))["failures"] == 0:
            await trio.sleep(0.01)
        assert await node.have({"one": program(slow, timeout=30.0, restarts=1000)}) == [
            "adjusted: one (timeout)"
        ]
        async with node.at("one") as client:
            assert await pid_of(client)


async def test_requests_at_one_that_is_removed_or_started_anew_have_their_time(
    tmp_path: Path,
) -> None:
    upstreams = {name: program(WAITS) for name in ("one", "two")}
    answers: list[str] = []
    async with (
        reloadable(upstreams) as node,
        node.at() as every,
        node.at("one") as alone,
        trio.open_nursery() as nursery,
    ):

        async def call(client: Client, tool: str) -> None:
            answers.append(said(await client.call_tool(tool, {"until": str(tmp_path / "now")})))

        async with trio.open_nursery() as calls:
            for client, tool in ((every, "one_hang"), (alone, "hang"), (every, "two_hang")):
                calls.start_soon(call, client, tool)
            await in_flight({"one": 2, "two": 1})
            node.write({"two": program(WAITS, args=("x",))})
            nursery.start_soon(node.reload)
            while "one" in await registry.servers():
                await trio.sleep(0.01)
            assert await pid_of(every, "two_pid")
            assert answers == []
            (tmp_path / "now").touch()
        assert answers == ["done"] * 3
    assert len(answers) == 3


async def in_flight(counts: Mapping[str, int]) -> None:
    """Wait until so many requests are at work at these upstreams."""
    while True:
        found = (await call("server_all", ("info",)))["upstreams"]
        if all(found[name]["in_flight"] == count for name, count in counts.items()):
            return
        await trio.sleep(0.01)


async def test_what_takes_longer_than_its_time_is_cut_off_and_told_why() -> None:
    upstreams = {name: program(OLD) for name in ("one", "two", "three")}
    told: list[str] = []
    async with reloadable(upstreams) as node, node.at() as every, node.at("one") as alone:

        async def never(client: Client, tool: str) -> None:
            with pytest.raises(McpError) as refused:
                await client.call_tool(tool)
            told.append(refused.value.message)

        async with trio.open_nursery() as nursery:
            for client, tool in ((every, "one_never"), (alone, "never"), (every, "two_never")):
                nursery.start_soon(never, client, tool)
            await in_flight({"one": 2, "two": 1})
            changed = {"two": program(OLD, args=("x",)), "three": upstreams["three"]}
            assert await node.have(changed, deadline=0.1) == [
                "removed: one; 2 requests were cut off at the deadline",
                "started anew: two (args); 1 request was cut off at the deadline",
            ]
        assert sorted(told) == [
            *["the upstream 'one' was removed from the configuration"] * 2,
            "the upstream 'two' was started anew, because its configuration has changed",
        ]


async def test_a_call_whose_client_can_come_back_no_more_holds_up_nobody() -> None:
    asked, removed = trio.Event(), trio.Event()

    async def elicit(_: Any) -> dict[str, Any]:
        asked.set()
        await removed.wait()
        return {"n": "Ada"}

    async def call(client: Client) -> None:
        with pytest.raises((McpError, ClientError)):
            await client.call_tool("ask")

    async with (
        reloadable({"one": program(OLD), "two": program(OLD)}) as node,
        node.at("one", mode="modern", elicit=elicit) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(call, client)
        await asked.wait()
        assert await node.have({"two": program(OLD)}, deadline=3600) == ["removed: one"]
        removed.set()


async def test_from_none_to_some_and_back() -> None:
    own = Server("own", version="1")

    @own.tool()
    def mine() -> str:
        """Of our own server."""
        return "mine"

    async with reloadable({}, own) as node:
        for _ in range(2):
            async with node.at(mode="legacy") as client:
                assert await names(client) == {"mine"}
                assert await node.have({"one": program(OLD)}) == ["added: one"]
                # Its session is gone, so it begins another one, with all upstreams together.
                assert await names(client) == {"one"}
                assert client.hello.server_info.name == "all"
                assert await pid_of(client, "one_pid")
                assert await node.have({}) == ["removed: one"]
                assert await names(client) == {"mine"}
                assert client.hello.server_info.name == "own"
            assert await registry.default() == "own"
            assert "no server 'all'" in await refused_at(node, "all")


async def test_sessions_end_with_the_server_they_were_begun_at() -> None:
    async with (
        reloadable({"one": program(OLD), "two": program(OLD)}) as node,
        node.at("one", mode="legacy"),
        node.at("two", mode="legacy"),
    ):
        assert (await sessions.statistics()).open == 2
        await node.have({"two": program(OLD)})
        assert (await sessions.statistics()).open == 1


async def test_calls_to_the_others_never_fail_while_upstreams_come_change_and_go() -> None:
    untouched = program(OLD)
    answered = 0
    async with reloadable({"kept": untouched}) as node:

        async def busy(client: Client, tool: str) -> None:
            nonlocal answered
            while not over.is_set():
                number = answered
                answered += 1
                found = said(await client.call_tool(tool, {"n": number}))
                assert json.loads(found) == {"n": number}

        for mode in ("modern", "legacy"):
            over = trio.Event()
            async with (
                node.at("kept", mode=mode) as alone,
                node.at(mode=mode) as every,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(busy, alone, "echo")
                nursery.start_soon(busy, every, "kept_echo")
                others: dict[str, UpstreamConfig] = {}
                for number in range(30):
                    name = f"other{number % 3}"
                    if number % 4 == 3:
                        others.pop(name, None)
                    else:
                        others[name] = program(OLD, args=(str(number),))
                    order = (
                        {**others, "kept": untouched}
                        if number % 2
                        else {"kept": untouched, **others}
                    )
                    await node.have(order)
                over.set()
            await node.have({"kept": untouched})
    assert answered


async def test_one_that_is_down_or_restarting_is_another_one_at_once() -> None:
    broken = {"one": program(EXITS, restarts=0), "two": program(EXITS, restarts=1000)}
    async with reloadable(broken) as node, node.at() as every:
        with pytest.raises(McpError, match="the upstream 'one' is down since"):
            await every.call_tool("one_pid")
        await node.have({"one": program(OLD), "two": program(OLD)})
        assert await pid_of(every, "one_pid") != await pid_of(every, "two_pid")
        await node.have({"one": program(EXITS, restarts=0), "two": program(OLD)})
        async with node.at("one") as client:
            with pytest.raises(McpError, match="no licence"):
                while True:
                    await client.call_tool("echo")
        assert await node.have({"two": program(OLD)}) == ["removed: one"]


async def test_an_error_changes_nothing_and_every_upstream_that_has_one_is_named() -> None:
    async with reloadable({"one": program(OLD)}) as node, node.at("one") as client:
        before, config = await pid_of(client), node.written
        node.written = ConfigError("node.toml: cannot be read: No such file or directory")
        with pytest.raises(ConfigError, match="cannot be read"):
            await node.reload()
        node.written = config
        missing = {"A": EnvReference(env="NOT_THERE")}
        wrong = {
            "one": program(OTHER),
            "two": program(OLD, env=missing),
            "three": UpstreamConfig(url="ftp://h"),
        }
        node.write(wrong)
        with pytest.raises(ConfigError) as refused:
            await node.reload()
        two, three = str(refused.value).splitlines()
        assert two.startswith("upstreams.two.env.A: the environment has no NOT_THERE")
        assert three.startswith("upstreams.three.url: ")
        assert await pid_of(client) == before
        assert "no server 'two'" in await refused_at(node, "two")
        node.write({})
        with pytest.raises(ConfigError, match="servers: there is none"):
            await node.reload()


async def test_what_is_wanted_has_to_go_with_what_stays_until_a_restart() -> None:
    tcp = TcpConfig(enabled=True, port=0, server="one")
    async with reloadable({"one": program(OLD), "two": program(OLD)}, tcp=tcp) as node:
        # The file alone is right; the listener that runs would be left without its server.
        with pytest.raises(ConfigError, match=r"tcp\.server: there is no server 'one'"):
            await node.have({"two": program(OLD)}, tcp=TcpConfig())
    own = Server("own", version="1")
    async with reloadable({}, own) as node:
        with pytest.raises(ConfigError, match=r"upstreams\.own: there is a server of that name"):
            await node.have({"own": program(OLD)}, servers=())


async def test_what_waits_for_a_restart_is_named_again_and_again() -> None:
    async with reloadable({"one": program(OLD)}) as node:
        lines = await node.have({"one": program(OLD)}, http=HttpConfig(port=1, streams=7))
        assert lines == [
            "needs a restart of the node: http.port",
            "needs a restart of the node: http.streams",
        ]
        assert (await node.reload()).lines() == lines


async def test_the_level_of_the_log_counts_at_once_and_outlives_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with reloadable({"one": program(OLD)}, log=LogConfig(level="error")) as node:
        assert await node.have({"one": program(OLD)}, log=LogConfig(level="info")) == [
            "applied: log.level"
        ]
        await logged("reload (a test): applied: log.level", capfd)
        log = whereis("log")
        assert log is not None
        await restart_of("observe", "log", lambda: exit_signal(log, "kill"))
        await node.reload()
        await logged("reload (a test): nothing has changed", capfd)


async def logged(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Wait for a line: processes and the log's thread lie between."""
    seen = ""
    while text not in seen:
        await trio.sleep(0.01)
        seen += capfd.readouterr().err


async def test_a_file_that_is_being_written_is_waited_for() -> None:
    one, two = program(OLD), program(OLD, args=("x",))
    async with reloadable({"one": one}) as node:
        assert isinstance(node.written, Config)
        whole = msgspec.structs.replace(node.written, upstreams={"one": one, "two": two})
        torn: list[Config | Exception] = [
            msgspec.structs.replace(node.written, upstreams={}),
            ConfigError("node.toml: not TOML: …"),
            msgspec.structs.replace(node.written, upstreams={"one": two}),
        ]

        def read() -> Config:
            found = torn.pop(0) if torn else whole
            if isinstance(found, Exception):
                raise found
            return found

        node.source = read
        assert (await node.reload()).lines() == ["added: two"]
        assert torn == []


async def test_two_at_once_are_one_after_the_other() -> None:
    async with reloadable({"one": program(OLD)}) as node:
        node.write({"one": program(OLD), "two": program(OLD)})
        found: list[list[str]] = []

        async def reload() -> None:
            found.append((await node.reload()).lines())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload)
            nursery.start_soon(reload)
        assert found == [["added: two"], ["nothing has changed"]]


async def test_who_reloads_is_killed_over_it_and_its_successor_does_what_was_left() -> None:
    upstreams = {"one": program(OLD), "two": program(OLD), "three": program(OLD)}
    async with (
        reloadable(upstreams, drain=DrainConfig(deadline=0.2)) as node,
        node.at() as every,
        trio.open_nursery() as nursery,
    ):

        async def never(tool: str) -> None:
            with pytest.raises(McpError, match="the upstream"):
                await every.call_tool(tool)

        async def reload() -> None:
            with pytest.raises(CallExit):
                await node.have(wanted, deadline=3600)

        pids = [await pid_of(every, f"{name}_pid") for name in upstreams]
        wanted = {
            "two": program(OLD, args=("x",)),
            "three": upstreams["three"],
            "four": program(OLD),
        }
        nursery.start_soon(never, "one_never")
        nursery.start_soon(never, "two_never")
        await in_flight({"one": 1, "two": 1})
        nursery.start_soon(reload)
        while "four" not in await names(every):
            await trio.sleep(0.01)
        reloader = whereis("reload")
        assert reloader is not None
        await restart_of("guards", "reload", lambda: exit_signal(reloader, "kill"))
        await gone(pids[0])
        await gone(pids[1])
        assert await names(every) == {"two", "three", "four"}
        assert await pid_of(every, "three_pid") == pids[2]
        assert await node.have(wanted) == ["nothing has changed"]


async def test_one_that_cannot_be_served_is_told_and_the_others_are_served() -> None:
    async with reloadable({"one": program(OLD)}) as node, node.at() as every:
        await registry.register_server(
            "two", spawn(trio.sleep_forever), None
        )  # somebody has its name
        wanted = {"one": program(OLD), "two": program(OLD), "three": program(OLD)}
        added, other, problem = await node.have(wanted)
        assert (added, other) == ("added: two", "added: three")
        assert problem.startswith("problem: two is not served: ")
        assert "the server name 'two' belongs to" in problem
        assert await pid_of(every, "three_pid")
        assert await pid_of(every, "one_pid")
        assert await node.have({"one": program(OLD)}) == ["removed: two", "removed: three"]


async def test_a_tree_that_is_restarted_has_the_upstreams_there_are_now() -> None:
    async with reloadable({"one": program(OLD), "two": program(OLD)}) as node, node.at() as every:
        await node.have({"two": program(OLD, args=("x",)), "three": program(OLD)})
        victim = whereis("registry")
        assert victim is not None
        await restart_of("core", "registry", lambda: exit_signal(victim, "kill"))
        while True:
            try:
                if await names(every) == {"two", "three"}:
                    break
            except (McpError, ClientError):
                pass
            await trio.sleep(0.01)
        assert set(await registry.servers()) == {"two", "three", "all"}
        assert await node.have({"three": program(OLD)}) == ["removed: two"]


async def test_the_first_one_in_the_new_order_has_what_several_offer() -> None:
    one, two = program(OLD), program(OTHER)
    async with reloadable({"one": one, "two": two}) as node, node.at() as every:
        assert [each.name for each in await every.list_resources()] == ["one_one"]
        assert await node.have({"two": two, "one": one}) == ["in another order: two, one"]
        while [each.name for each in await every.list_resources()] != ["two_one"]:
            await trio.sleep(0.01)


async def test_a_node_that_drains_stays_as_it_is_and_cuts_off_what_was_added() -> None:
    async with reloadable({"one": program(OLD)}) as node:
        await node.have({"one": program(OLD), "two": program(OLD)})
        async with node.at("two") as client, trio.open_nursery() as nursery:
            nursery.start_soon(cut_off, client)
            await in_flight({"two": 1})
            await drain.begin("a test", 0.2)
            with pytest.raises(ConfigError, match="the node drains"):
                await node.have({"one": program(OLD)})


async def cut_off(client: Client) -> None:
    with pytest.raises(McpError, match="the node is going down"):
        await client.call_tool("never")
