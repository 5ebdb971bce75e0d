"""What an ear hears of one thing, and what becomes of the rest; in virtual time, with links in memory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import trio

import supervisors
from erlmcp_py import subscriptions
from erlmcp_py.client import connection
from erlmcp_py.client.calls import Answer, Call
from erlmcp_py.client.inbox import Inbox
from erlmcp_py.gateway.places import child
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.protocol.jsonrpc import Response, error_response, notification, raw
from erlmcp_py.protocol.meta import SUBSCRIPTION_ID
from erlmcp_py.protocol.notifications import ACKNOWLEDGED
from supervisors import current_runtime
from supervisors.testing import run

from .test_promises import HELLO
from .test_steward import Above, Program, checkpoints, upstream_of

SECONDS: Final = {"mem://quick": 0.25, "mem://slow": math.inf, "mem://refused": 0.5}
"""That a subscription takes."""


class Deaf(Program):
    """A link to a program that tells of some resources at once, of others never. says_twice: of which ones,
    and others the second time.
    """

    says_twice = False

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox
        self._subscriptions = 0

    async def send(self, call: Call) -> Answer:
        match call.method:
            case "server/discover":
                return Response(1, raw(HELLO))
            case "resources/list":
                return Response(1, raw({"resources": [], "resultType": "complete"}))
            case "resources/templates/list":
                return Response(1, raw({"resourceTemplates": [], "resultType": "complete"}))
            case "subscriptions/listen":
                self._subscriptions += 1
                call.id = self._subscriptions
                wanted = call.params["notifications"]
                (uri,) = wanted.get("resourceSubscriptions") or [""]
                await trio.sleep(SECONDS.get(uri, 0.0))
                if uri == "mem://refused":
                    return error_response(1, McpError(INVALID_PARAMS, "there is none"))
                self._acknowledge(call.id, wanted)
                if Deaf.says_twice:
                    self._acknowledge(call.id, {"resourceSubscriptions": ["mem://other"]})
        return await trio.sleep_forever()

    def _acknowledge(self, id: Any, honoured: Any) -> None:
        params = {"notifications": honoured, "_meta": {SUBSCRIPTION_ID: id}}
        self._inbox.notified(notification(ACKNOWLEDGED, params), self, lambda _: None)


@pytest.fixture(autouse=True)
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(_where: object, _identity: object, inbox: Inbox) -> AsyncIterator[Program]:
        yield Deaf(inbox)

    monkeypatch.setattr(connection, "open_link", opened)


def in_time(main: Callable[[Upstream], Awaitable[None]], seed: int = 1) -> None:
    async def begin() -> None:
        await subscriptions.Subscriptions.start_link(name=subscriptions.NAME)
        upstream = upstream_of()
        await Above.start_link(upstream)
        await upstream.known()
        await main(upstream)

    run(begin, seed=seed)


async def ear(upstream: Upstream) -> Any:
    return await child(upstream.supervisor or "", 1, "ear")


def test_a_resource_whose_subscription_has_no_answer_disturbs_no_other() -> None:
    async def main(upstream: Upstream) -> None:
        before = await ear(upstream)
        published = (await subscriptions.statistics()).published
        wanted = [subscriptions.Change("updated", uri) for uri in SECONDS]
        subscriptions.subscribe(subscriptions.Subscription("it", supervisors.self(), wanted))
        assert upstream.follow("mem://quick")
        assert upstream.follow("mem://slow")
        await trio.sleep(300)
        assert await ear(upstream) == before
        # Of the one it is told once, because it may have changed before anybody heard of it.
        assert (await subscriptions.statistics()).published == published + 1
        assert set(upstream.followed) == {"mem://quick", "mem://slow"}

    in_time(main)


def test_what_changes_before_it_is_heard_of_is_told() -> None:
    async def main(upstream: Upstream) -> None:
        uri = "mem://quick"
        (change,) = changes = [subscriptions.Change("updated", uri)]
        subscriptions.subscribe(subscriptions.Subscription("it", supervisors.self(), changes))
        assert upstream.follow(uri)
        await trio.sleep(SECONDS[uri] / 2)  # now it changes
        with trio.fail_after(SECONDS[uri]):
            _, _, announcement = await supervisors.receive()
        assert announcement.change == change

    in_time(main)


def test_one_that_is_refused_while_nobody_wants_it_any_more_disturbs_no_other() -> None:
    async def main(upstream: Upstream, step: int) -> None:
        before = await ear(upstream)
        assert upstream.follow("mem://refused")
        await trio.sleep(SECONDS["mem://refused"])
        await checkpoints(step)
        upstream.followed.drop(["mem://refused"], current_runtime().now() + 60)
        await trio.sleep(60)
        assert await ear(upstream) == before
        assert not upstream.followed

    for step in range(30):
        in_time(lambda upstream, step=step: main(upstream, step), seed=step)  # type: ignore[misc]


def test_one_that_promises_what_it_was_not_asked_for_is_heard_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Deaf, "says_twice", True)

    async def main(upstream: Upstream) -> None:
        before = await ear(upstream)
        await trio.sleep(60)
        assert await ear(upstream) == before is not None

    in_time(main)
