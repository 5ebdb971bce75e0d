"""The list methods: pages that are encoded once, and resources that a function lists."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from erlmcp_py.server import Resource, Server, pages

from .conftest import Connect, Peer


def titled(name: str) -> Callable[[], str]:
    def tool() -> str:
        return name

    tool.__doc__ = f"Says {name}."
    return tool


def big_server(count: int, **options: Any) -> Server:
    server = Server("big", version="1.0", **options)
    for number in range(count):
        server.tool(f"tool{number:04}")(titled(str(number)))
    return server


async def names(peer: Peer, method: str, member: str, key: str) -> list[list[str]]:
    """The names on every page."""
    found = []
    params: dict[str, Any] = {}
    while True:
        result = await peer.result(method, params)
        found.append([entry[key] for entry in result[member]])
        if "nextCursor" not in result:
            return found
        params = {"cursor": result["nextCursor"]}


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The results that were encoded for lists."""
    seen: list[Any] = []

    def raw(value: Any) -> Any:
        seen.append(value)
        return original(value)

    original = pages.raw
    monkeypatch.setattr(pages, "raw", raw)
    return seen


async def test_a_list_is_encoded_once(connect: Connect, encoded: list[Any]) -> None:
    server = big_server(1000)
    peer = await connect(server)
    first = await peer.answer("tools/list", id=1)
    for id in (2, "three"):
        again = await peer.answer("tools/list", {}, id=id)
        assert again == {**first, "id": id}
    assert len(first["result"]["tools"]) == 1000
    assert len(encoded) == 1


async def test_each_revision_and_page_is_encoded_once(connect: Connect, encoded: list[Any]) -> None:
    server = big_server(5, page_size=2)
    for version in ("2026-07-28", "2025-11-25", "2024-11-05"):
        peer = await connect(server, version)
        for _ in range(2):
            whole = await names(peer, "tools/list", "tools", "name")
            assert whole == [
                ["tool0000", "tool0001"],
                ["tool0002", "tool0003"],
                ["tool0004"],
            ]
    assert len(encoded) == 9


async def test_a_change_is_seen_at_once(connect: Connect, encoded: list[Any]) -> None:
    server = big_server(2)
    peer = await connect(server)
    assert await names(peer, "tools/list", "tools", "name") == [["tool0000", "tool0001"]]
    server.tool("another")(titled("x"))
    assert (await names(peer, "tools/list", "tools", "name"))[0][-1] == "another"
    server.remove_tool("tool0000")
    assert await names(peer, "tools/list", "tools", "name") == [["tool0001", "another"]]
    assert len(encoded) == 3


async def test_a_page_of_a_list_that_became_shorter(connect: Connect) -> None:
    server = big_server(4, page_size=2)
    peer = await connect(server)
    cursor = (await peer.result("tools/list"))["nextCursor"]
    for number in range(3):
        server.remove_tool(f"tool{number:04}")
    assert (await peer.result("tools/list", {"cursor": cursor}))["tools"] == []


async def test_a_cursor_of_one_list_is_none_of_another(connect: Connect) -> None:
    server = big_server(3, page_size=1)
    for name in ("a", "b"):
        server.prompt(name)(titled(name))
    peer = await connect(server)
    cursor = (await peer.result("tools/list"))["nextCursor"]
    error = await peer.error("prompts/list", {"cursor": cursor})
    assert error["code"] == -32602
    assert "Unknown cursor for prompts" in error["message"]
    assert (await peer.error("tools/list", {"cursor": cursor[:-1] + "~"}))["code"] == -32602


async def test_kept_pages_are_bounded(
    connect: Connect, encoded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 2)
    peer = await connect(big_server(3, page_size=1))
    for _ in range(2):
        assert len(await names(peer, "tools/list", "tools", "name")) == 3
    assert len(encoded) == 4, "two pages are kept, the third one is not"


class TestFunctions:
    async def test_it_is_read_no_further_than_a_page(self, connect: Connect) -> None:
        server = Server("rows", version="1.0", page_size=2)
        asked: list[int] = []

        @server.resource_list()
        def rows() -> Iterator[Resource]:
            for number in range(1_000_000):
                asked.append(number)
                yield Resource(f"row:{number}", f"row {number}")

        peer = await connect(server)
        first = await peer.result("resources/list")
        assert [entry["uri"] for entry in first["resources"]] == ["row:0", "row:1"]
        assert asked == [0, 1, 2]
        second = await peer.result("resources/list", {"cursor": first["nextCursor"]})
        assert [entry["uri"] for entry in second["resources"]] == ["row:2", "row:3"]
        assert asked[3:] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
    async def test_it_may_go_on_by_itself(self, connect: Connect, version: str) -> None:
        server = Server("rows", version="1.0", page_size=2)
        asked: list[str | None] = []

        @server.resource_list()
        async def rows(after: str | None) -> AsyncIterator[Resource]:
            asked.append(after)
            begin = int(after.partition(":")[2]) + 1 if after else 0
            for number in range(begin, 5):
                yield Resource(f"row:{number}", f"row {number}")

        peer = await connect(server, version)
        assert await names(peer, "resources/list", "resources", "uri") == [
            ["row:0", "row:1"],
            ["row:2", "row:3"],
            ["row:4"],
        ]
        assert asked == [None, "row:1", "row:3"]

    async def test_they_come_behind_what_is_defined(self, connect: Connect) -> None:
        server = Server("rows", version="1.0", page_size=2)
        for number in range(3):
            server.resource(f"fixed:{number}")(titled("x"))

        @server.resource_list()
        def none() -> Iterator[Resource]:
            yield from ()

        @server.resource_list("second")
        def some() -> Iterator[Resource]:
            yield Resource("row:1", "1")

        peer = await connect(server)
        assert await names(peer, "resources/list", "resources", "uri") == [
            ["fixed:0", "fixed:1"],
            ["fixed:2"],
            [],
            ["row:1"],
        ]

    async def test_one_that_fails_is_an_error(self, connect: Connect) -> None:
        server = Server("rows", version="1.0")

        @server.resource_list()
        def rows() -> Iterator[Any]:
            yield "row:1"

        peer = await connect(server)
        error = await peer.error("resources/list")
        assert "yields Resources, not str" in error["message"]

    async def test_the_generator_is_closed(self, connect: Connect) -> None:
        server = Server("rows", version="1.0", page_size=1)
        closed: list[str] = []

        @server.resource_list()
        async def rows() -> AsyncIterator[Resource]:
            try:
                for number in range(9):
                    yield Resource(f"row:{number}", "row")
            finally:
                closed.append("yes")

        await (await connect(server)).result("resources/list")
        assert closed == ["yes"]

    def test_functions_that_are_refused(self) -> None:
        with pytest.raises(TypeError, match=r"test_lists\.py:\d+: .*is a generator function"):
            Server("s", version="1").resource_list()(titled("x"))

    def test_parameters_that_are_refused(self) -> None:
        def rows(before: str) -> Iterator[Resource]:
            yield Resource(before, "x")

        with pytest.raises(TypeError, match=r"takes nothing, or \(after"):
            Server("s", version="1").resource_list()(rows)
