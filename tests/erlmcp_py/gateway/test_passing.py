"""What a client sees of upstreams that behave: everything, in either era."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from erlmcp_py.config import UpstreamConfig
from erlmcp_py.protocol.completion import PromptReference
from erlmcp_py.protocol.errors import McpError

from .upstreams import EXITS, OLD, gateway, program, said

ERAS = pytest.mark.parametrize("mode", ["modern", "legacy"])


@ERAS
async def test_everything_of_an_old_upstream_is_there(mode: str) -> None:
    async with gateway({"old": program(OLD)}) as node, node.at("old", mode=mode) as client:
        assert client.hello.era == mode
        assert client.hello.server_info.name == "old"
        assert client.hello.instructions == "be kind"
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert tools["echo"].input_schema == {
            "type": "object",
            "properties": {"how": {"enum": ["a", 1, None]}},
            "x-mine": {"k": [1.5]},
        }
        assert json.loads(said(await client.call_tool("echo", {"a": [1, {"b": "ä"}]}))) == {
            "a": [1, {"b": "ä"}]
        }
        assert [one.uri for one in await client.list_resources()] == ["mem://one"]
        assert [one.uri_template for one in await client.list_resource_templates()] == [
            "mem://of/{x}"
        ]
        assert (await client.read_resource("mem://of/7")).contents[0].text == "read"
        assert [one.name for one in await client.list_prompts()] == ["hi"]
        assert (await client.get_prompt("hi")).messages[0].content.text == "hi"
        found = await client.complete(PromptReference(name="hi"), "x", "ab")
        assert found.values == ["ab!"]
        with pytest.raises(McpError, match="no such tool"):
            await client.call_tool("nothing")
        with pytest.raises(McpError) as refused:
            await client.read_resource("mem://none")
        assert refused.value.code == (-32002 if mode == "legacy" else -32602)


@ERAS
async def test_a_modern_upstream_over_http(mode: str, theirs: str) -> None:
    async with (
        gateway({"web": UpstreamConfig(url=theirs)}) as node,
        node.at("web", mode=mode) as client,
    ):
        assert client.hello.server_info.name == "theirs"
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert tools["add"].description == "Add."
        result = await client.call_tool("add", {"a": 2, "b": 3})
        assert said(result) == "5"
        assert (await client.call_tool("add", {"a": "x"})).is_error


@ERAS
async def test_all_together_with_names_in_front(mode: str) -> None:
    async with (
        gateway({"one": program(OLD), "two": program(OLD)}) as node,
        node.at(mode=mode) as client,
        node.at("all", mode=mode) as same,
    ):
        names = [tool.name for tool in await client.list_tools()]
        assert "one_echo" in names
        assert "two_echo" in names
        assert "echo" not in names
        assert names == [tool.name for tool in await same.list_tools()]
        first = said(await client.call_tool("one_pid"))
        assert first != said(await client.call_tool("two_pid"))
        assert first == said(await same.call_tool("one_pid"))
        assert [one.name for one in await client.list_prompts()] == ["one_hi", "two_hi"]
        assert (await client.get_prompt("two_hi")).messages[0].content.text == "hi"
        # The same URI twice: the first one has it.
        assert [one.name for one in await client.list_resources()] == ["one_one"]
        assert (await client.read_resource("mem://of/7")).contents[0].text == "read"
        found = await client.complete(PromptReference(name="two_hi"), "x", "ab")
        assert found.values == ["ab!"]
        assert client.hello.instructions == "one: be kind\n\ntwo: be kind"
        for unknown in ("echo", "three_echo", "one_nothing"):
            with pytest.raises(McpError, match=f"Unknown tool: {unknown}"):
                await client.call_tool(unknown)


async def logged(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Wait for a line: processes and the log's thread lie between."""
    seen = ""
    with trio.fail_after(10):
        while text not in seen:
            await trio.sleep(0.01)
            seen += capfd.readouterr().err


async def test_collisions_are_reported(capfd: pytest.CaptureFixture[str]) -> None:
    upstreams = {"one": program(OLD), "two": program(OLD)}
    async with gateway(upstreams, log="warning") as node, node.at() as client:
        await client.list_resources()
        await logged("'mem://one' of resources is offered by one and two; one has it", capfd)


async def test_standard_error_is_in_the_log_under_the_name(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway({"one": program(OLD)}, log="info") as node, node.at("one") as client:
        await client.list_tools()
        await logged("one: hello from standard error", capfd)


@ERAS
async def test_together_one_that_is_missing_holds_up_nobody(mode: str) -> None:
    upstreams = {"gone": program(EXITS, restarts=0), "good": program(OLD)}
    async with gateway(upstreams) as node, node.at(mode=mode) as client:
        assert said(await client.call_tool("good_echo", {})) == "{}"
        page, _ = await client.forward("tools/list", {})
        assert b'"erlmcp-py/upstreams":{"gone":{"state":"down"' in bytes(page.result)
        with pytest.raises(McpError, match="the upstream 'gone' is down since 2"):
            await client.call_tool("gone_anything")


@ERAS
async def test_progress_passes_through(mode: str) -> None:
    heard = []
    async with gateway({"old": program(OLD)}) as node, node.at("old", mode=mode) as client:
        await client.call_tool("slow", on_progress=lambda told: heard.append(told.progress))
    assert heard == [1, 2]


@ERAS
async def test_log_lines_pass_through_if_they_are_wanted(mode: str) -> None:
    heard = []
    async with (
        gateway({"old": program(OLD)}) as node,
        node.at("old", mode=mode, log_level="info", on_log=heard.append) as client,
    ):
        await client.call_tool("log")
    assert [line.data for line in heard] == ["beware"]


@ERAS
async def test_changes_pass_through(mode: str) -> None:
    async with (
        gateway({"old": program(OLD)}) as node,
        node.at("old", mode=mode) as client,
        client.subscribe(tools=True, uris=["mem://one"]) as changes,
    ):
        with trio.fail_after(10):
            await client.call_tool("grow")
            while (await anext(changes)).kind != "tools":
                pass
            assert "more" in [tool.name for tool in await client.list_tools()]
            while True:
                await client.call_tool("touch")
                with trio.move_on_after(0.2):
                    change = await anext(changes)
                    if change.kind == "resource":
                        break
            assert change.uri == "mem://one"


async def test_a_cancelled_call_is_cancelled_at_the_upstream(theirs: str) -> None:
    async with (
        gateway({"web": UpstreamConfig(url=theirs)}) as node,
        node.at("web") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(client.call_tool, "wait")
        with trio.fail_after(10):
            while said(await client.call_tool("ends")) != '["began"]':
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    async with gateway({"web": UpstreamConfig(url=theirs)}) as node, node.at("web") as client:
        with trio.fail_after(10):
            while said(await client.call_tool("ends")) != '["began","ended"]':
                await trio.sleep(0.01)


async def test_an_old_upstream_asks_an_old_client() -> None:
    def elicit(asked: Any) -> dict[str, Any]:
        assert asked.message == "your name?"
        return {"n": "Ada"}

    async with (
        gateway({"old": program(OLD)}) as node,
        node.at("old", mode="legacy", elicit=elicit) as client,
    ):
        answer = json.loads(said(await client.call_tool("ask")))
        assert answer == {"action": "accept", "content": {"n": "Ada"}}
    async with gateway({"old": program(OLD)}) as node, node.at("old", mode="legacy") as client:
        assert "cannot be asked" in said(await client.call_tool("ask"))


async def test_what_a_legacy_upstream_asks_or_logs_reaches_nobody_while_it_serves_several() -> None:
    heard: list[Any] = []
    further: dict[str, Any] = {
        "mode": "legacy",
        "on_log": heard.append,
        "elicit": lambda asked: heard.append(asked),
    }
    async with (
        gateway({"old": program(OLD)}) as node,
        node.at("old", **further) as one,
        node.at("old", **further) as other,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(one.call_tool, "never")
        with trio.fail_after(10):
            while said(await other.call_tool("count")) != "1":
                await trio.sleep(0.01)
            assert "nobody knows whom this is for" in said(await other.call_tool("ask"))
            await other.call_tool("log")
            nursery.cancel_scope.cancel()
    assert heard == []


async def test_between_the_same_revision_everything_passes_as_it_is() -> None:
    same = OLD.replace('"2025-06-18"', '"2025-11-25"')
    async with (
        gateway({"old": program(same)}) as node,
        node.at("old", mode="legacy") as client,
        node.at(mode="legacy") as every,
    ):
        for each in (client, every):
            page, _ = await each.forward("tools/list", {})
            assert bytes(page.result).count(b'"x-vendor"') == 13
            assert b'"x-mine": {"k": [1.5]}' in bytes(page.result)


@ERAS
async def test_a_modern_upstream_asks_clients_of_both_eras(mode: str, theirs: str) -> None:
    async with (
        gateway({"web": UpstreamConfig(url=theirs)}) as node,
        node.at("web", mode=mode, elicit=lambda _: {"n": "Ada"}) as client,
    ):
        assert said(await client.call_tool("greet")) == "hello Ada"


@pytest.mark.parametrize("theirs_is", ["modern", "legacy"])
@ERAS
async def test_a_cancelled_call_is_cancelled_between_all_eras(
    mode: Any, theirs_is: str, upstream: Any
) -> None:
    async with gateway({"web": upstream(theirs_is)}) as node, node.at("web", mode=mode) as client:
        before = json.loads(said(await client.call_tool("ends")))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "wait")
            with trio.fail_after(20):
                while json.loads(said(await client.call_tool("ends"))) != [*before, "began"]:
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
        with trio.fail_after(20):
            while json.loads(said(await client.call_tool("ends"))) != [*before, "began", "ended"]:
                await trio.sleep(0.01)


@pytest.mark.parametrize("theirs_is", ["modern", "legacy"])
@ERAS
async def test_progress_and_log_lines_pass_between_all_eras(
    mode: Any, theirs_is: str, upstream: Any
) -> None:
    lines: list[Any] = []
    others: list[Any] = []
    progress: list[float] = []
    wishes: dict[str, Any] = {"mode": mode, "log_level": "info"}
    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", on_log=lines.append, **wishes) as client,
        node.at("web", on_log=others.append, **wishes) as other,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(other.call_tool, "wait")  # so that several are served
        await client.call_tool("tell", on_progress=lambda told: progress.append(told.progress))
        await client.call_tool("tell")  # nobody wants progress
        nursery.cancel_scope.cancel()
    assert progress == [1, 2]
    assert [line.data for line in lines] == ["beware", "beware"]
    assert others == []


async def test_what_comes_without_a_request_goes_to_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    late = OLD.replace(
        'elif method == "ping":',
        'elif method == "ping":\n'
        '        if GROWN: tell("notifications/message", level="error", data={"late": "x" * 9999})',
    )
    config = program(late, ping_interval=0.05)
    async with (
        gateway({"old": config}, log="debug") as node,
        node.at("old", mode="legacy") as client,
    ):
        await client.call_tool("grow")
        await logged('old: error: {"late":"xxx', capfd)


async def test_progress_of_a_call_that_has_its_answer_is_dropped() -> None:
    late = OLD.replace(
        'answer(asked, text("done"))',
        'answer(asked, text("done"))\n'
        '            tell("notifications/progress", progressToken=token, progress=3)',
    )
    told: list[float] = []
    async with gateway({"old": program(late)}) as node, node.at("old", mode="legacy") as client:
        for _ in range(2):
            await client.call_tool("slow", on_progress=lambda one: told.append(one.progress))
    assert told == [1, 2, 1, 2]


@pytest.mark.parametrize("theirs_is", ["modern", "legacy"])
@pytest.mark.parametrize("path", ["web", None])
@ERAS
async def test_changes_pass_between_all_eras(
    mode: Any, theirs_is: str, path: str | None, upstream: Any
) -> None:
    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode) as actor,
        node.at(path, mode=mode) as client,
    ):
        await client.list_resources()  # all together know now what there is
        wishes = {"tools": True, "prompts": True, "resources": True, "uris": ["note://one"]}
        async with client.subscribe(**wishes) as changes:
            for kind in ("tools", "prompts", "resources", "resource"):
                with trio.fail_after(20):
                    while True:
                        await actor.call_tool("change", {"kind": kind})
                        with trio.move_on_after(0.2):
                            while (change := await anext(changes)).kind != kind:
                                pass
                            break
                assert change.uri == ("note://one" if kind == "resource" else None)


@pytest.mark.parametrize("name", ["odd", None])
async def test_whose_answer_it_was_that_cannot_be_read_is_said(name: str | None) -> None:
    odd = OLD.replace("answer(asked, text(os.getpid()))", 'answer(asked, {"content": 5})')
    assert odd != OLD
    async with gateway({"odd": program(odd)}) as node, node.at(name, mode="modern") as client:
        wrong = r"upstream 'odd': tools/call: result\.content: Expected `array`, got `int`"
        with pytest.raises(McpError, match=wrong):
            await client.call_tool("pid" if name else "odd_pid")
