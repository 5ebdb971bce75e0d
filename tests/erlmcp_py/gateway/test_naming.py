"""Which tools of an upstream there are for clients, and what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py import registry
from erlmcp_py.config import ConfigError, UpstreamConfig, load
from erlmcp_py.gateway.naming import Names
from erlmcp_py.protocol.completion import PromptReference
from erlmcp_py.protocol.errors import McpError

from .test_passing import logged
from .upstreams import EXITS, OLD, gateway, program, said

ERAS = pytest.mark.parametrize("mode", ["modern", "legacy"])


def names(**keys: Any) -> Names:
    return Names("x", UpstreamConfig(command="x", **keys))


def test_patterns_speak_of_its_own_names_and_deny_has_the_last_word() -> None:
    given = names(allow=("read_*", "list"), deny=("*_secret",), rename={"read_a": "a"})
    tools = ["read_a", "read_b", "read_secret", "write_a", "list", "list2"]
    assert given.called("tools", tools) == {"read_a": "a", "read_b": "read_b", "list": "list"}
    assert names(deny=("w*",)).called("tools", tools).keys() == set(tools) - {"write_a"}
    assert given.called("prompts", ["write_a"]) == {"write_a": "write_a"}
    assert names(allow=("R*",)).called("tools", tools) == {}  # case counts


def test_names_may_change_places_but_nothing_loses_its_own() -> None:
    assert names(rename={"a": "b", "b": "a"}).called("tools", ["a", "b"]) == {"a": "b", "b": "a"}
    chain = names(rename={"a": "b", "c": "a"})
    assert chain.called("tools", ["a", "b", "c"]) == {"a": "a", "b": "b", "c": "c"}
    hidden = names(rename={"a": "b"}, deny=("b",))
    assert hidden.called("tools", ["a", "b"]) == {"a": "b"}


def test_what_has_no_effect_is_said() -> None:
    given = names(allow=("a*", "q*"), deny=("b",), rename={"a1": "a2", "z": "y", "hi": "hello"})
    assert list(given.problems(["a1", "a2"], ["hi"])) == [
        "allow: 'q*' matches none of its tools",
        "deny: 'b' matches none of its tools",
        "rename: it has no tool or prompt 'z'",
        "rename: 'a1' cannot be called 'a2', as another of its tools is; it stays 'a1'",
    ]


@pytest.mark.parametrize(
    ("prefix", "shown"), [(None, "x_tool"), ("gh", "gh_tool"), ("", "tool"), ("a.b", "a.b_tool")]
)
def test_the_prefix(prefix: str | None, shown: str) -> None:
    given = names(prefix=prefix)
    assert given.prefixed("tool") == shown
    assert given.unprefixed(shown) == "tool"
    assert given.unprefixed("other_tool") == ("other_tool" if prefix == "" else None)


NAME = st.text("abc", min_size=1, max_size=2)


@given(
    st.lists(NAME, unique=True),
    st.dictionaries(NAME, NAME),
    st.lists(NAME, max_size=2),
    st.lists(NAME, max_size=2),
)
def test_no_two_have_one_name_and_each_leads_back(
    tools: list[str], rename: dict[str, str], allow: list[str], deny: list[str]
) -> None:
    rename = {old: new for new, old in {new: old for old, new in rename.items()}.items()}
    given = names(rename=rename, allow=tuple(allow), deny=tuple(deny))
    called = given.called("tools", tools)
    assert len(set(called.values())) == len(called)
    assert called.keys() == {own for own in tools if given.shows("tools", own)}
    for own, name in called.items():
        assert name in (own, rename.get(own))
        if name != own or own not in rename:  # nothing was in its way
            assert given.guessed("tools", name) == own or name in tools


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('rename = { a = "x", b = "x" }', "upstreams.u.rename: 'a' and 'b' are both to be 'x'"),
        ('rename = { a = "x y" }', "must be 1 to 128 letters, digits"),
        ('prefix = "a b"', "must be up to 64 letters, digits"),
        ("allow = [1]", "upstreams"),
        ('alow = ["x"]', "upstreams.u.alow: no such key; did you mean upstreams.u.allow"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(f'[upstreams.u]\ncommand = "y"\n{text}\n')
    with pytest.raises(ConfigError) as refused:
        load(overlays=[file], env={})
    assert problem in str(refused.value)


SHOWN = {"allow": ("e*", "pid", "hi"), "deny": ("eat",), "rename": {"echo": "say", "hi": "hello"}}


async def unknown(client: Any, name: str) -> tuple[int, str, Any]:
    with pytest.raises(McpError) as refused:
        await client.call_tool(name, {})
    error = refused.value
    return error.code, error.message.replace(name, "NAME"), error.data


@ERAS
async def test_what_is_denied_or_renamed_does_not_exist_under_its_own_name(mode: str) -> None:
    old = program(OLD, **SHOWN, prefix="gh")
    async with (
        gateway({"old": old, "other": program(OLD)}) as node,
        node.at("old", mode=mode) as alone,
        node.at(mode=mode) as every,
    ):
        assert [tool.name for tool in await alone.list_tools()] == ["say", "pid"]
        ours = [tool.name for tool in await every.list_tools() if tool.name.startswith("gh_")]
        assert ours == ["gh_say", "gh_pid"]
        assert said(await alone.call_tool("say", {"a": 1})) == '{"a": 1}'
        assert said(await every.call_tool("gh_say", {"a": 1})) == '{"a": 1}'
        for client, lead in ((alone, ""), (every, "gh_")):
            never_was = await unknown(client, f"{lead}nowhere")
            for name in ("eat", "die", "echo"):
                assert await unknown(client, f"{lead}{name}") == never_was
        assert await unknown(every, "old_echo") == never_was
        assert said(await every.call_tool("other_echo", {})) == "{}"


@ERAS
async def test_prompts_are_renamed_in_completion_too(mode: str) -> None:
    old = program(OLD, rename={"hi": "hello"})
    async with (
        gateway({"old": old}) as node,
        node.at("old", mode=mode) as alone,
        node.at(mode=mode) as every,
    ):
        for client, name in ((alone, "hello"), (every, "old_hello")):
            assert [one.name for one in await client.list_prompts()] == [name]
            assert (await client.get_prompt(name)).messages[0].content.text == "hi"
            found = await client.complete(PromptReference(name=name), "x", "ab")
            assert found.values == ["ab!"]
        with pytest.raises(McpError, match="Unknown prompt: hi"):
            await alone.get_prompt("hi")


async def test_without_prefixes_the_first_one_has_what_two_offer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    upstreams = {"one": program(OLD, prefix=""), "two": program(OLD, prefix="", deny=("pid",))}
    async with gateway(upstreams, log="warning") as node, node.at() as client:
        await logged("'echo' of tools is offered by one and two; one has it", capfd)
        names = [tool.name for tool in await client.list_tools()]
        assert len(names) == len(set(names))
        async with node.at("one") as one:
            assert said(await client.call_tool("pid")) == said(await one.call_tool("pid"))


async def test_what_has_no_effect_is_reported_at_the_start(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway({"one": program(OLD, deny=("wirte_*",))}, log="warning"):
        await logged("upstreams.one.deny: 'wirte_*' matches none of its tools", capfd)


async def test_a_name_of_one_that_was_never_seen_says_why_it_is_not_there_unless_it_is_denied() -> (
    None
):
    gone = program(EXITS, restarts=0, prefix="gh", deny=("die",), rename={"old": "new"})
    async with gateway({"gone": gone, "good": program(OLD)}) as node, node.at() as client:
        await client.call_tool("good_echo", {})
        with pytest.raises(McpError, match="the upstream 'gone' is down since 2"):
            await client.call_tool("gh_new")
        for name in ("gh_die", "gh_old", "gone_new"):
            with pytest.raises(McpError, match=f"Unknown tool: {name}"):
                await client.call_tool(name)


async def test_other_names_count_at_once_and_are_told_of() -> None:
    async with (
        gateway({"old": program(OLD)}) as node,
        node.at("old") as alone,
        node.at() as every,
        alone.subscribe(tools=True) as changes,
    ):
        assert said(await every.call_tool("old_echo", {})) == "{}"
        face = (await registry.servers())["old"].server
        face.upstreams[0].adjust(program(OLD, deny=("die",), rename={"echo": "say"}, prefix="gh"))
        with trio.fail_after(10):
            assert (await anext(changes)).kind == "tools"
        shown = {tool.name for tool in await alone.list_tools()}
        assert "say" in shown
        assert not shown & {"echo", "die"}
        assert said(await every.call_tool("gh_say", {})) == "{}"
        await unknown(every, "old_echo")
