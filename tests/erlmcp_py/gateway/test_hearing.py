"""What an upstream has changed is seen by clients, also if it could not be fetched or heard at first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.client import Client
from erlmcp_py.gateway import hearing, overview
from erlmcp_py.gateway.places import child
from supervisors import Backoff, Pid, exit_signal, restart_child, terminate_child

from .upstreams import OLD, gateway, program

MODES = pytest.mark.parametrize("mode", ["modern", "legacy"])


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be fetched is fetched again without a pause worth waiting for."""
    monkeypatch.setattr(hearing, "AGAIN", Backoff(first=0.01, factor=1.0))


def refuses_until(marker: Path) -> str:
    """Once its tools have changed it does not say which they are, before there is this file."""
    listing = 'elif method == "tools/list":\n'
    refusing = (
        f'elif method == "tools/list" and GROWN and not os.path.exists({str(marker)!r}):\n'
        '        refuse(asked, -32603, "not now")\n    '
    )
    code = OLD.replace(listing, refusing + listing)
    assert code != OLD
    return code


async def tools(client: Client) -> tuple[set[str], Any]:
    """The names of the tools, and the marks of the list."""
    answer, _ = await client.forward("tools/list", {})
    page = json.loads(bytes(answer.result))
    marks = page.get("_meta", {}).get("erlmcp-py/upstreams")
    return {tool["name"] for tool in page["tools"]}, marks


async def supervisor() -> Pid:
    """Of the one instance."""
    found = await child((await overview.served())["one"].supervisor or "", 1)
    assert found is not None
    return found


@MODES
async def test_a_list_that_cannot_be_fetched_is_marked_and_fetched_again(
    mode: str, tmp_path: Path
) -> None:
    code = refuses_until(tmp_path / "now")
    async with (
        gateway({"one": program(code)}) as node,
        node.at("one", mode=mode) as client,
        client.subscribe(tools=True) as changes,
    ):
        assert (await tools(client))[1] is None
        await client.call_tool("grow")
        with trio.fail_after(30):
            await anext(changes)
            while True:
                names, marks = await tools(client)
                if marks is not None:
                    break
                await trio.sleep(0.01)
        assert "echo" in names
        assert marks["one"]["state"] == "outdated"
        assert marks["one"]["reason"].endswith("tools/list: not now (-32603)")
        page, _ = await client.forward("prompts/list", {})
        assert b"erlmcp-py/upstreams" not in bytes(page.result)
        (tmp_path / "now").touch()
        with trio.fail_after(30):
            while (found := await tools(client)) != (names | {"more"}, None):
                await anext(changes)
        assert found[1] is None


@MODES
async def test_what_was_told_while_there_was_no_ear_is_seen_when_there_is_one(mode: str) -> None:
    async with (
        gateway({"one": program(OLD)}) as node,
        node.at("one", mode=mode) as client,
        client.subscribe(tools=True, uris=["mem://one"]) as changes,
    ):
        followed = (await overview.served())["one"].followed
        with trio.fail_after(30):
            while "mem://one" not in followed or not (await told_of(client, changes)):
                await trio.sleep(0.01)
        above = await supervisor()
        await terminate_child(above, "ear")
        await client.call_tool("grow")
        await client.call_tool("touch")
        assert "more" not in (await tools(client))[0]
        await restart_child(above, "ear")
        missed = {"tools", "resource"}
        with trio.fail_after(30):
            while missed:
                missed.discard((await anext(changes)).kind)
        assert "more" in (await tools(client))[0]


async def told_of(client: Client, changes: Any) -> bool:
    """Whether the upstream tells of its resource by now."""
    await client.call_tool("touch")
    with trio.move_on_after(0.2):
        return bool((await anext(changes)).uri)
    return False


async def test_an_ear_that_is_killed_has_a_successor_that_tells_nothing_new() -> None:
    async with (
        gateway({"one": program(OLD)}) as node,
        node.at("one") as client,
        client.subscribe(tools=True, prompts=True, resources=True) as changes,
    ):
        ear = await child(await supervisor(), "ear")
        assert ear is not None
        exit_signal(ear, "kill")
        with trio.fail_after(30):
            while await child(await supervisor(), "ear") in (None, ear):
                await trio.sleep(0.01)
            await client.call_tool("grow")
            # What comes is of the tools alone: the other lists are what they were.
            while "more" not in (await tools(client))[0]:
                assert (await anext(changes)).kind == "tools"
