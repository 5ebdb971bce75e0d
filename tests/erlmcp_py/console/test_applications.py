"""Applications and alarms on the console, and applications in the tree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from erlmcp_py.console.client import CommandFailed
from supervisors import (
    Application,
    GenServer,
    Supervisor,
    SupFlags,
    alarm_handler,
    application,
    start_child,
    whereis,
)


class Idle(GenServer):
    def init(self) -> Any:
        return "ok", None


class Top(Supervisor):
    def init(self) -> Any:
        return SupFlags(), [Idle.child_spec(name="shopkeeper")]


class Shop(Application):
    name = "shop"
    description = "sells things"
    version = "1.2"

    async def start(self, _type: str, _args: Any) -> Any:
        return await Top.start_link(name="shop")


@pytest.fixture
async def shop(node: Any) -> AsyncIterator[Any]:
    await application.start(Shop())
    yield node
    await application.stop_all()


async def test_applications_are_listed_and_in_the_tree(shop: Any) -> None:
    top = str(whereis("shop"))
    assert await shop.ask("applications") == [
        {"name": "shop", "version": "1.2", "description": "sells things", "top": top}
    ]
    last = (await shop.ask("tree"))["children"][-1]
    assert (last["path"], last["pid"], last["type"]) == ("node/shop", top, "supervisor")
    assert [child["path"] for child in last["children"]] == ["node/shop/shopkeeper"]
    info = await shop.ask("info", target="shop/shopkeeper")
    assert (info["name"], info["application"]) == ("shopkeeper", "shop")
    assert (await shop.ask("info", target="registry"))["application"] is None
    assert "shop/shopkeeper" in (await shop.ask("names"))["paths"]


async def test_an_application_is_stopped_and_started_again(shop: Any) -> None:
    stopped = await shop.ask("application.stop", name="shop")
    assert stopped == {"application": "shop", "status": "stopped"}
    assert whereis("shopkeeper") is None
    assert await shop.ask("applications") == []
    assert (await shop.ask("application.start", name="shop"))["status"] == "started"
    assert whereis("shopkeeper") is not None
    for command, name in (("application.start", "shop"), ("application.stop", "store")):
        with pytest.raises(CommandFailed, match=name):
            await shop.ask(command, name=name)


async def test_without_applications_nobody_is_asked(node: Any) -> None:
    assert await node.ask("applications") == []
    assert whereis("application_controller") is None


async def test_alarms(node: Any) -> None:
    with pytest.raises(CommandFailed, match="alarm handler"):
        await node.ask("alarms")
    await start_child("node", alarm_handler.child_spec())
    assert await node.ask("alarms") == []
    alarm_handler.set_alarm((("disk_almost_full", "/"), "93 %"))
    assert await node.ask("alarms") == [{"alarm": ["disk_almost_full", "/"], "description": "93 %"}]
    alarm_handler.clear_alarm(("disk_almost_full", "/"))
    assert await node.ask("alarms") == []


async def test_info_shows_the_limit_of_a_mailbox(node: Any) -> None:
    info = await node.ask("info", target="registry")
    assert (info["mailbox_limit"], info["dropped"]) == (None, 0)
