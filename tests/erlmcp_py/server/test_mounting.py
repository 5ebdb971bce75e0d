"""A server in another: its names there, collisions, and changes that are seen and announced."""

from collections.abc import Iterator
from typing import Any

import pytest

from erlmcp_py.server import Resource, Server
from erlmcp_py.subscriptions import Change

from .conftest import Connect


def say() -> str:
    """Say it."""
    return "said"


def echo(a: str) -> str:
    return a


def complete(value: str) -> list[str]:
    return [value + "!"]


def inner_server() -> Server:
    inner = Server("inner", version="1.0")
    inner.tool("say")(say)
    inner.tool("count")(count)
    inner.prompt("ask")(echo)
    inner.resource("x://fixed/a")(say)
    inner.resource("x://{a}")(echo)
    inner.completion("ask", "a")(complete)
    inner.completion("x://{a}", "a")(complete)

    @inner.resource_list()
    def rows() -> Iterator[Resource]:
        for number in range(3):
            yield Resource(f"x://row{number}", "row")

    return inner


def count() -> int:
    return 1


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_all_that_it_offers_is_there(connect: Connect, version: str) -> None:
    outer = Server("outer", version="1.0", page_size=2)
    outer.tool("say")(say)
    outer.mount("in", inner_server())
    peer = await connect(outer, version)
    first = await peer.result("tools/list")
    second = await peer.result("tools/list", {"cursor": first["nextCursor"]})
    names = [tool["name"] for tool in first["tools"] + second["tools"]]
    assert names == ["say", "in_say", "in_count"]
    assert (await peer.tool("in_say"))["content"][0]["text"] == "said"
    (prompt,) = (await peer.result("prompts/list"))["prompts"]
    assert prompt["name"] == "in_ask"
    got = await peer.result("prompts/get", {"name": "in_ask", "arguments": {"a": "b"}})
    assert got["messages"][0]["content"]["text"] == "b"
    (template,) = (await peer.result("resources/templates/list"))["resourceTemplates"]
    assert template["uriTemplate"] == "x://in/{a}"
    (contents,) = (await peer.result("resources/read", {"uri": "x://in/b"}))["contents"]
    assert (contents["uri"], contents["text"]) == ("x://in/b", "b")
    assert await peer.error("resources/read", {"uri": "x://b"})
    (contents,) = (await peer.result("resources/read", {"uri": "x://in/fixed/a"}))["contents"]
    assert contents["text"] == "said"
    for ref in (
        {"type": "ref/prompt", "name": "in_ask"},
        {"type": "ref/resource", "uri": "x://in/{a}"},
    ):
        params = {"ref": ref, "argument": {"name": "a", "value": "v"}}
        assert (await peer.result("completion/complete", params))["completion"]["values"] == ["v!"]


async def test_lists_that_a_function_makes(connect: Connect) -> None:
    outer = Server("outer", version="1.0", page_size=2)
    outer.mount("in", inner_server())
    peer = await connect(outer)
    uris: list[str] = []
    params: dict[str, Any] = {}
    while True:
        result = await peer.result("resources/list", params)
        uris += [entry["uri"] for entry in result["resources"]]
        if "nextCursor" not in result:
            break
        params = {"cursor": result["nextCursor"]}
    assert uris == ["x://in/fixed/a", "x://in/row0", "x://in/row1", "x://in/row2"]


@pytest.mark.parametrize("separator", ["_", "/", ".", "-"])
def test_separators(separator: str) -> None:
    outer = Server("outer", version="1.0")
    outer.mount("in", inner_server(), separator=separator)
    assert f"in{separator}say" in outer.tools


@pytest.mark.parametrize(
    ("uri", "shown"),
    [("x://a/b", "x://in/a/b"), ("urn:isbn:1", "urn:in/isbn:1"), ("file:///a", "file://in//a")],
)
def test_addresses(uri: str, shown: str) -> None:
    outer, inner = Server("outer", version="1.0"), Server("inner", version="1.0")
    inner.resource(uri)(say)
    outer.mount("in", inner)
    assert list(outer.resources) == [shown]


async def test_a_server_in_a_server_in_a_server(connect: Connect) -> None:
    outer, middle, inner = (Server(name, version="1.0") for name in ("o", "m", "i"))
    outer.mount("m", middle)
    middle.mount("i", inner, separator=".")
    inner.tool("say")(say)
    assert list(outer.tools) == ["m_i.say"]
    peer = await connect(outer)
    assert (await peer.tool("m_i.say"))["content"][0]["text"] == "said"


def test_one_server_twice() -> None:
    outer, inner = Server("outer", version="1.0"), inner_server()
    outer.mount("a", inner)
    outer.mount("b", inner)
    inner.tool("later")(say)
    assert {"a_later", "b_later", "a_say", "b_say"} <= set(outer.tools)
    assert len(list(outer.family())) == 2


class TestChanges:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[Change]:
        self.outer = Server("outer", version="1.0")
        self.inner = inner_server()
        self.outer.mount("in", self.inner)
        told: list[Change] = []
        monkeypatch.setattr(type(self.outer.changes), "announce", self._listen(told))
        return told

    def _listen(self, told: list[Change]) -> Any:
        def announce(changes: Any, change: Change) -> None:
            if changes is self.outer.changes:
                told.append(change)

        return announce

    def test_what_is_defined_later_is_seen_and_announced(self, told: list[Change]) -> None:
        before = self.outer.prompts
        self.inner.tool("later")(say)
        assert "in_later" in self.outer.tools
        self.inner.remove_tool("later")
        assert "in_later" not in self.outer.tools
        assert told == [Change("tools"), Change("tools")]
        assert self.outer.prompts is before, "the other lists are what they were"

    def test_what_is_removed_is_gone(self, told: list[Change]) -> None:
        self.inner.remove_prompt("ask")
        assert self.outer.prompts == {}
        assert ("in_ask", "a") not in self.outer.completions
        self.inner.remove_resource("x://{a}")
        assert self.outer.templates == {}
        assert self.outer.completions == {}
        assert told == [Change("prompts"), Change("resources")]

    def test_an_update_has_the_address_of_the_outer_server(self, told: list[Change]) -> None:
        self.inner.notify_updated("x://b")
        assert told == [Change("updated", "x://in/b")]

    def test_only_its_own_server_can_remove_it(self, told: list[Change]) -> None:
        with pytest.raises(KeyError, match="in_say"):
            self.outer.remove_tool("in_say")
        assert told == []


PLACES = r"test_mounting\.py:\d+: {} is already defined at .*test_mounting\.py:\d+"


class TestCollisions:
    def test_at_the_mounting(self) -> None:
        outer = Server("outer", version="1.0")
        outer.tool("in_say")(count)
        with pytest.raises(ValueError, match=PLACES.format("tool 'in_say'")):
            outer.mount("in", inner_server())
        assert list(outer.tools) == ["in_say"], "nothing of it is mounted then"
        assert outer.prompts == {}

    def test_later_in_the_inner_one(self) -> None:
        outer, inner = Server("outer", version="1.0"), inner_server()
        outer.resource("x://in/new")(say)
        outer.mount("in", inner)
        with pytest.raises(ValueError, match=PLACES.format("resource 'x://in/new'")):
            inner.resource("x://new")(say)
        assert "x://new" not in inner.resources

    def test_later_in_the_outer_one(self) -> None:
        outer = Server("outer", version="1.0")
        outer.mount("in", inner_server())
        with pytest.raises(ValueError, match=PLACES.format("tool 'in_say'")):
            outer.tool("in_say")(say)

    def test_the_same_prefix_twice(self) -> None:
        outer = Server("outer", version="1.0")
        outer.mount("in", inner_server())
        with pytest.raises(ValueError, match="is already defined at"):
            outer.mount("in", inner_server())

    def test_a_server_cannot_contain_itself(self) -> None:
        outer, inner = Server("outer", version="1.0"), inner_server()
        outer.mount("in", inner)
        for wrong in (outer, inner):
            with pytest.raises(ValueError, match="already"):
                inner.mount("out", wrong if wrong is inner else outer)

    def test_names_that_become_too_long(self) -> None:
        outer, inner = Server("outer", version="1.0"), inner_server()
        with pytest.raises(ValueError, match=r"test_mounting\.py:\d+: tool name .*1 to 64"):
            outer.mount("p" * 60, inner)
        outer.mount("p" * 50, inner)
        with pytest.raises(ValueError, match=r"test_mounting\.py:\d+: tool name .*1 to 64"):
            inner.tool("t" * 20)(say)
        assert "t" * 20 not in inner.tools

    @pytest.mark.parametrize(
        ("prefix", "separator", "words"),
        [("", "_", "the prefix ''"), ("a b", "_", "the prefix"), ("a", ":", "the separator ':'")],
    )
    def test_prefixes_that_are_refused(self, prefix: str, separator: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            Server("o", version="1").mount(prefix, inner_server(), separator=separator)

    def test_what_is_no_server(self) -> None:
        with pytest.raises(TypeError, match="is no Server"):
            Server("o", version="1").mount("a", "b")  # type: ignore[arg-type]
