"""A request that needs its user at a page first, told in the way of each revision."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol.elicitation import at_url, url_elicitation_required
from erlmcp_py.protocol.lifecycle import ClientCapabilities
from erlmcp_py.server import Context, Server
from tests.erlmcp_py.server.conftest import Connect, Peer

PAGE = "https://bank.example/link"
LINKED: set[str] = set()


def make(*, inline: bool) -> Server:
    server = Server("bank", version="1")

    def balance() -> str:
        if not LINKED:
            raise url_elicitation_required([at_url("Link your account", PAGE, "link-1")])
        return "42"

    if inline:

        @server.tool(name="balance")
        def plain() -> str:
            """What is there."""
            return balance()
    else:

        @server.tool(name="balance")
        async def waiting(ctx: Context) -> str:
            """What is there."""
            return balance()

    return server


class Capable(Peer):
    """A client that can send its user to a page."""

    def scope(self, id: int | str = 1) -> Any:
        able = msgspec.convert({"elicitation": {"url": {}}}, ClientCapabilities)
        return msgspec.structs.replace(super().scope(id), client_capabilities=able)


async def connected(connect: Connect, version: str, *, inline: bool, able: bool = True) -> Peer:
    LINKED.clear()
    peer = await connect(make(inline=inline), version)
    return Capable(peer.pid, version) if able else peer


@pytest.mark.parametrize("inline", [True, False])
async def test_2025_11_25_has_an_error_for_it(connect: Connect, inline: bool) -> None:
    peer = await connected(connect, "2025-11-25", inline=inline)
    error = await peer.error("tools/call", {"name": "balance"})
    assert error["code"] == -32042
    (page,) = error["data"]["elicitations"]
    assert (page["mode"], page["url"], page["elicitationId"]) == ("url", PAGE, "link-1")


@pytest.mark.parametrize("inline", [True, False])
async def test_2026_07_28_asks_in_a_round_and_goes_on_when_the_user_was_there(
    connect: Connect, inline: bool
) -> None:
    peer = await connected(connect, "2026-07-28", inline=inline)
    params: dict[str, Any] = {"name": "balance"}
    result = (await peer.answer("tools/call", params))["result"]
    assert result["resultType"] == "input_required"
    assert result["inputRequests"]["link-1"]["params"]["url"] == PAGE
    params |= {
        "requestState": result["requestState"],
        "inputResponses": {"link-1": {"action": "accept"}},
    }
    # Agreed to go there is not been there: it is asked again until it is so.
    assert (await peer.answer("tools/call", params))["result"]["resultType"] == "input_required"
    LINKED.add("me")
    result = (await peer.answer("tools/call", params))["result"]
    assert result["content"][0]["text"] == "42"


async def test_2026_07_28_names_the_capability_that_is_missing(connect: Connect) -> None:
    peer = await connected(connect, "2026-07-28", inline=True, able=False)
    error = await peer.error("tools/call", {"name": "balance"})
    assert error["code"] == -32021
    assert error["data"]["requiredCapabilities"] == {"elicitation": {"url": {}}}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18"])
async def test_older_clients_are_told_in_words(connect: Connect, version: str) -> None:
    peer = await connected(connect, version, inline=True)
    error = await peer.error("tools/call", {"name": "balance"})
    assert error["code"] == -32603
    assert PAGE in error["message"]
