"""What an upstream offers is learnt, whatever happens meanwhile; in virtual time, with links in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from erlmcp_py.client import connection
from erlmcp_py.client.calls import Answer, Call
from erlmcp_py.client.eras import Eras
from erlmcp_py.client.inbox import Inbox
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.kinds import MAX_ENTRIES
from erlmcp_py.gateway.places import child
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, McpError
from erlmcp_py.protocol.jsonrpc import Notification, Response, error_response, notification, raw
from erlmcp_py.protocol.meta import SUBSCRIPTION_ID
from erlmcp_py.protocol.notifications import ACKNOWLEDGED, TOOLS_CHANGED
from erlmcp_py.protocol.versions import Era
from supervisors import current_runtime, exit_signal
from supervisors.testing import run

from .test_steward import Above, Program, scope, upstream_of

HELLO = {
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}, "prompts": {}},
    "resultType": "complete",
}
SHAKEN = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "it", "version": "1"},
}
PAUSES = {"tools/list": 1.0, "prompts/list": 4.0}
"""Seconds that a list takes."""


class Offering(Program):
    """A link to a program whose lists take their time. tools: there are now. fails: methods it refuses."""

    asked: list[str]
    tools: list[str]
    fails: set[str]
    code = INTERNAL_ERROR

    async def send(self, call: Call) -> Answer:
        if call.method == "server/discover":
            return Response(1, raw(HELLO))
        if not call.method.endswith("/list"):
            await trio.sleep_forever()
        Offering.asked.append(call.method)
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in Offering.tools]
        await trio.sleep(PAUSES[call.method])
        if call.method in Offering.fails:
            return error_response(1, McpError(Offering.code, "no"))
        member = call.method.partition("/")[0]
        listed = tools if member == "tools" else []
        return Response(1, raw({member: listed, "resultType": "complete"}))


class Growing(Program):
    """A link to a program of either era that has one more tool as soon as it has said which it has. It tells
    so whoever has subscribed by then.
    """

    speaks: Era = "modern"
    acknowledges = 0.0
    """Seconds that a subscription takes."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox
        self._tools = ["first"]
        self._listener: object = None

    async def send(self, call: Call) -> Answer:
        match call.method:
            case "server/discover" if Growing.speaks == "modern":
                return Response(1, raw(HELLO | {"capabilities": {"tools": {}}}))
            case "server/discover":
                return error_response(1, McpError(METHOD_NOT_FOUND, "no"))
            case "initialize":
                return Response(1, raw(SHAKEN))
            case "subscriptions/listen":
                await trio.sleep(Growing.acknowledges)
                self._listener = call.id
                self._tell(ACKNOWLEDGED, {"notifications": call.params["notifications"]})
            case "tools/list":
                tools = [{"name": name, "inputSchema": {"type": "object"}} for name in self._tools]
                if len(self._tools) == 1:
                    self._tools.append("second")
                    self._tell(TOOLS_CHANGED, {})
                return Response(1, raw({"tools": tools, "resultType": "complete"}))
        return await trio.sleep_forever()

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        if self.era == "modern" and self._listener is None:
            return
        told: Notification = notification(
            method, {**params, "_meta": {SUBSCRIPTION_ID: self._listener}}
        )
        self._inbox.notified(told, self, lambda _: None)


@pytest.fixture(autouse=True)
def offering(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Program]:
        yield Offering()

    monkeypatch.setattr(connection, "open_link", opened)
    Offering.asked, Offering.tools, Offering.fails = [], ["first"], set()


def in_time(main: Callable[[Upstream], Awaitable[None]]) -> None:
    async def begin() -> None:
        upstream = upstream_of()
        await Above.start_link(upstream)
        with trio.fail_after(600):
            await main(upstream)

    run(begin)


async def asked(method: str) -> None:
    while method not in Offering.asked:
        await trio.sleep(0.125)


def names(upstream: Upstream, *, together: bool = False) -> bytes:
    face = Face("any", (upstream,), together=together)
    return bytes(face.listing("tools", None, scope()))


def test_a_keeper_that_is_killed_while_it_learns_has_a_successor_that_does() -> None:
    async def main(upstream: Upstream) -> None:
        await asked("prompts/list")
        keeper = await child(upstream.supervisor or "", 1, "keeper")
        assert keeper is not None
        assert upstream.hello is None
        exit_signal(keeper, "kill")
        await upstream.known()
        assert b'"first"' in names(upstream)

    in_time(main)


def test_a_list_that_changes_while_another_is_fetched_is_the_new_one() -> None:
    async def main(upstream: Upstream) -> None:
        await asked("prompts/list")
        Offering.tools = ["first", "second"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upstream.learn_again, upstream.instances[0], "tools")
            await upstream.known()
        assert b'"second"' in names(upstream)

    in_time(main)


def test_of_one_that_cannot_be_learnt_no_list_is_shown() -> None:
    async def main(upstream: Upstream) -> None:
        Offering.fails = {"prompts/list"}
        await asked("prompts/list")
        await trio.sleep(PAUSES["prompts/list"])
        await upstream.learn_again(upstream.instances[0], "tools")
        assert b'"first"' not in names(upstream, together=True)
        Offering.fails = set()
        await upstream.known()  # it is asked once more before anybody is told
        assert b'"it_first"' in names(upstream, together=True)

    in_time(main)


def test_one_that_does_not_know_the_method_of_a_list_has_nothing_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Offering, "code", METHOD_NOT_FOUND)

    async def main(upstream: Upstream) -> None:
        Offering.fails = {"prompts/list"}
        await upstream.known()
        assert b'"first"' in names(upstream)
        assert upstream.lists["prompts"] == []

    in_time(main)


def test_nobody_waits_for_what_cannot_be_learnt() -> None:
    async def main(upstream: Upstream) -> None:
        Offering.fails = {"prompts/list"}
        face = Face("it", (upstream,), together=False)
        with pytest.raises(
            McpError, match=r"'it' is up since .*: what it offers cannot be read: prompts/"
        ):
            await face.known()
        took = current_runtime().now()
        assert took < upstream.config.timeout
        await upstream.known()
        assert current_runtime().now() == took
        assert (upstream.standing().reason or "").endswith("prompts/list: no (-32603)")
        Offering.fails = set()
        while upstream.hello is None:
            await trio.sleep(1)
        await face.known()
        assert upstream.standing().reason is None

    in_time(main)


def test_one_that_was_replaced_teaches_nobody_any_more() -> None:
    async def main(upstream: Upstream) -> None:
        old = upstream.instances[0]
        await asked("prompts/list")
        upstream.renew(upstream.config, upstream.renewed(upstream.config))
        await trio.sleep(60)  # the keeper of the old one has read all of it
        await upstream.learn(old)
        await upstream.learn_again(old, "tools")
        assert upstream.hello is None
        assert not upstream.lists

    in_time(main)


def test_no_page_makes_a_list_longer_than_is_kept() -> None:
    Offering.tools = [str(number) for number in range(MAX_ENTRIES + 1)]

    async def main(upstream: Upstream) -> None:
        await upstream.known()
        assert len(upstream.lists["tools"]) == MAX_ENTRIES

    in_time(main)


@pytest.mark.parametrize(("era", "seconds"), [("modern", 0.0), ("modern", 10.0), ("legacy", 0.0)])
@pytest.mark.parametrize("seed", range(5))
def test_a_list_that_changes_as_soon_as_it_was_fetched_is_the_new_one(
    era: Era, seconds: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """seconds: until its changes are heard."""

    @asynccontextmanager
    async def opened(_where: object, _identity: object, inbox: Inbox) -> AsyncIterator[Program]:
        yield Growing(inbox)

    monkeypatch.setattr(connection, "open_link", opened)
    monkeypatch.setattr(Growing, "speaks", era)
    monkeypatch.setattr(Growing, "acknowledges", seconds)
    monkeypatch.setattr(connection, "eras", Eras())

    async def main() -> None:
        upstream = upstream_of()
        await Above.start_link(upstream)
        await upstream.known()
        await trio.sleep(seconds + 1)
        assert b'"second"' in names(upstream)

    run(main, seed=seed)
