"""Applications beside the node: what becomes of the node when one of them ends or never starts."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.application import start_further
from erlmcp_py.server import Server
from supervisors import (
    Application,
    ApplicationError,
    ApplicationReport,
    GenServer,
    StartError,
    application,
    exit_signal,
    whereis,
)
from supervisors.testing import events

SERVERS = {"main": Server("main", version="1")}


class Idle(GenServer):
    def init(self) -> Any:
        return "ok", None


class Extra(Application):
    name = "extra"
    applications = ("erlmcp_py",)

    async def start(self, _type: str, _args: Any) -> Any:
        return await Idle.start_link(name="extra")


class Faulty(Application):
    name = "faulty"

    async def start(self, _type: str, _args: Any) -> Any:
        raise StartError("no luck")


async def names() -> list[str]:
    return [found.name for found in await application.which_applications()]


async def test_an_application_that_ends_leaves_the_node_running(running: Any) -> None:
    async with running(SERVERS, [Extra()]) as client:
        node, extra = whereis("node"), whereis("extra")
        with events() as seen:
            exit_signal(extra, "kill")
            report = await seen.wait(ApplicationReport, within=5)
        assert (report.application, report.event, report.reason) == ("extra", "exited", "killed")
        assert whereis("node") is node
        assert await names() == ["erlmcp_py"]
        assert (await client.request("GET", "/ping")).status == 200


async def test_the_end_of_a_permanent_one_is_the_end_of_the_node(running: Any) -> None:
    async with running(SERVERS, [Extra()], ["extra"]):
        down: list[Any] = []
        await application.on_node_down(down.append)
        with events() as seen:
            exit_signal(whereis("extra"), "kill")
            await seen.wait(
                ApplicationReport, lambda report: report.application == "erlmcp_py", within=5
            )
            while not down:
                await application.which_applications()
        assert down == [("application_terminated", "extra", "killed")]
        assert whereis("node") is None


async def test_one_that_does_not_start_is_left_out_unless_it_is_permanent(running: Any) -> None:
    async with running(SERVERS, [Faulty(), Extra()]):
        assert await names() == ["extra", "erlmcp_py"]
        with pytest.raises(ApplicationError) as refused:
            await start_further([Faulty()], ["faulty"])
        assert refused.value.reason[0] == "faulty"
