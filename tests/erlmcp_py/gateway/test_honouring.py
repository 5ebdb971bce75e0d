"""Subscriptions at upstreams of which nobody knows yet what they have: they are started, and told of later."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from erlmcp_py.client import Client
from erlmcp_py.gateway import face, overview, upstream
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.server.process import Honour
from supervisors import call

from .upstreams import EXITS, OLD, gateway, program

WANTED = SubscriptionFilter(
    tools_list_changed=True, prompts_list_changed=True, resource_subscriptions=["mem://one"]
)
PLAIN = OLD.replace('"prompts": {},', "").replace('"resources": {"subscribe": True}, ', "")
"""Has neither prompts nor resources."""
assert PLAIN.count("CAPABILITIES = ") == 1


def waits(marker: Path) -> str:
    """A program that begins when there is this file."""
    return f"import os, time\nwhile not os.path.exists({str(marker)!r}): time.sleep(0.02)\n" + OLD


async def honoured(name: str, wanted: SubscriptionFilter = WANTED) -> SubscriptionFilter:
    _, found = await call(f"server_{name}", Honour(wanted))
    assert isinstance(found, SubscriptionFilter)
    return found


async def touched(client: Client, changes: object, tool: str) -> None:
    """The resource changes until somebody hears of it: the upstream is asked to tell in its own time."""
    with trio.fail_after(30):
        while True:
            await client.call_tool(tool)
            with trio.move_on_after(0.2):
                if (await anext(changes)).uri == "mem://one":  # type: ignore[call-overload]
                    return


@pytest.mark.parametrize("name", ["lazy", "all"])
async def test_who_subscribes_first_has_it_started_and_gets_what_it_has(name: str) -> None:
    async with gateway({"lazy": program(OLD, on_demand=True)}) as node:
        assert await honoured(name) == WANTED
        assert (await overview.served())["lazy"].standing().state == "up"
        async with (
            node.at("lazy", mode="modern") as client,
            client.subscribe(uris=["mem://one"]) as changes,
        ):
            await touched(client, changes, "touch")


@pytest.mark.parametrize("name", ["lazy", "all"])
async def test_what_it_turns_out_not_to_have_is_not_promised(name: str) -> None:
    async with gateway({"lazy": program(PLAIN, on_demand=True)}):
        assert await honoured(name) == SubscriptionFilter(tools_list_changed=True)


async def test_who_asks_for_nothing_starts_nothing() -> None:
    async with gateway({"lazy": program(OLD, on_demand=True)}):
        assert await honoured("lazy", SubscriptionFilter()) == SubscriptionFilter()
        assert (await overview.served())["lazy"].standing().state == "asleep"


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_of_one_that_takes_its_time_it_is_told_once_it_is_known(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "PATIENCE", 0.1)
    monkeypatch.setattr(face, "HONOURING", 0.1)
    upstreams = {
        "late": program(waits(tmp_path / "go"), on_demand=True),
        "plain": program(PLAIN),
    }
    async with (
        gateway(upstreams) as node,
        node.at(mode=mode) as client,
        client.subscribe(uris=["mem://one"]) as changes,
    ):
        assert (await overview.served())["late"].hello is None
        (tmp_path / "go").touch()
        await touched(client, changes, "late_touch")


async def test_of_one_that_is_down_from_the_start_it_is_told_when_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway({"never": program(EXITS, restarts=0)}):
        never = (await overview.served())["never"]
        with trio.fail_after(20):
            while not never.is_down:
                await trio.sleep(0.01)
        assert await honoured("never") == WANTED
        assert "mem://one" in never.followed
