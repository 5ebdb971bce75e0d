"""How long clients may keep lists and contents (MCP 2026-07-28, caching)."""

from typing import Any

import pytest

from erlmcp_py.protocol.resources import ReadResourceResult
from erlmcp_py.server import CacheHint, Context, Server, TextResourceContents

from .conftest import Connect, Peer

LISTS = (
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
)


def full_server(**options: Any) -> Server:
    server = Server("full", version="1.0", **options)
    server.tool("t")(lambda: "t")
    server.prompt("p")(lambda: "p")
    server.resource("x:plain")(lambda: "plain")
    server.resource("x:own", cache=CacheHint(5, "public"))(lambda: "own")
    server.resource("y:{a}", cache=CacheHint(6))(echo)

    @server.resource("x:says")
    def says() -> ReadResourceResult:
        return ReadResourceResult(
            contents=[TextResourceContents(uri="x:says", text="says")], ttl_ms=7
        )

    return server


def echo(a: str) -> str:
    return a


async def hint_of(peer: Peer, method: str, **params: Any) -> tuple[Any, Any]:
    result = await peer.result(method, params)
    return result.get("ttlMs"), result.get("cacheScope")


async def test_nothing_may_be_kept_unless_said(connect: Connect) -> None:
    peer = await connect(full_server())
    for method in LISTS:
        assert await hint_of(peer, method) == (0, "private")
    assert await hint_of(peer, "resources/read", uri="x:plain") == (0, "private")


async def test_one_hint_for_all(connect: Connect) -> None:
    peer = await connect(full_server(cache=CacheHint(60_000, "public")))
    for method in LISTS:
        assert await hint_of(peer, method) == (60_000, "public")
    assert await hint_of(peer, "resources/read", uri="x:plain") == (60_000, "public")


async def test_a_resource_has_its_own(connect: Connect) -> None:
    peer = await connect(full_server(cache={"resources/read": CacheHint(60_000, "public")}))
    assert await hint_of(peer, "tools/list") == (0, "private")
    assert await hint_of(peer, "resources/read", uri="x:plain") == (60_000, "public")
    assert await hint_of(peer, "resources/read", uri="x:own") == (5, "public")
    assert await hint_of(peer, "resources/read", uri="y:b") == (6, "private")
    assert await hint_of(peer, "resources/read", uri="x:says") == (7, "public")


async def test_every_page_says_the_same(connect: Connect) -> None:
    peer = await connect(full_server(page_size=1, cache=CacheHint(9, "public")))
    first = await peer.result("resources/list")
    second = await peer.result("resources/list", {"cursor": first["nextCursor"]})
    assert (second["ttlMs"], second["cacheScope"]) == (9, "public")


async def test_older_revisions_know_nothing_of_it(connect: Connect) -> None:
    peer = await connect(full_server(cache=CacheHint(60_000, "public")), "2025-11-25")
    assert await hint_of(peer, "tools/list") == (None, None)
    assert await hint_of(peer, "resources/read", uri="x:own") == (None, None)


async def test_what_took_a_clients_answers_is_not_kept(connect: Connect) -> None:
    server = Server("asks", version="1.0")

    @server.resource("x:own", cache=CacheHint(5, "public"))
    async def own(ctx: Context) -> str:
        return "own"

    peer = await connect(server)
    assert await hint_of(peer, "resources/read", uri="x:own") == (5, "public")
    retried = await hint_of(
        peer, "resources/read", uri="x:own", inputResponses={"name": {"action": "decline"}}
    )
    assert retried == (0, "private")


@pytest.mark.parametrize(
    ("cache", "error", "words"),
    [
        (5, TypeError, "must be a CacheHint"),
        ({"tools/call": CacheHint(5)}, ValueError, "'tools/call' cannot be kept"),
        ({"tools/list": 5}, TypeError, "tools/list needs a CacheHint"),
    ],
)
def test_hints_that_are_refused(cache: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Server("s", version="1", cache=cache)


def test_a_resource_needs_a_hint() -> None:
    with pytest.raises(TypeError, match=r"test_caching\.py:\d+: cache must be a CacheHint"):
        Server("s", version="1").resource("y:{a}", cache=5)(echo)  # type: ignore[arg-type]
