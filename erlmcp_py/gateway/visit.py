"""One request at an upstream: as long as it is there it counts, has a place or waits for one, and can be cut
off.

WHY a class and no generator, and one scope for all who may cut it off: every call passes here, and each
costs as much as the rest together.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Final

import trio

from erlmcp_py.gateway.admission import QueueFull, Ticket
from erlmcp_py.gateway.at_work import Stay
from erlmcp_py.gateway.errors import unavailable
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, refused
from supervisors import current_runtime

if TYPE_CHECKING:
    from erlmcp_py.gateway.upstream import Upstream

PATIENCE: Final = 5.0
"""Seconds that a call waits for an upstream that is being restarted, and all of them together for one
that has not said yet what it offers."""


class Visit:
    """``async with Visit(upstream, client, number) as instance``: a place at an instance, which is started and
    waited for.

    client: names the client as long as it stays one, None: nobody knows. number: of the instance that it has
    to be, if it is there (`marks`). A session stays with an instance as long as that does not lose its
    connection. Raises McpError that says why there is no place, or why it was cut off.
    """

    __slots__ = ("_client", "_instance", "_number", "_stay", "_ticket", "_upstream")

    def __init__(self, upstream: Upstream, client: str | None, number: int | None = None) -> None:
        self._upstream = upstream
        self._client = client
        self._number = number
        self._stay = Stay()
        self._ticket: Ticket[Instance] | None = None
        self._instance: Instance | None = None

    async def __aenter__(self) -> Instance:
        upstream, stay = self._upstream, self._stay
        upstream.at_work.enter(stay)
        stay.scope.__enter__()
        upstream.need()
        try:
            return await self._begin()
        except BaseException:
            if self._end(*sys.exc_info()):
                raise self._cut_off() from None
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._end(kind, error, trace):
            raise self._cut_off() from None

    async def _begin(self) -> Instance:
        upstream = self._upstream
        try:
            ticket = self._ticket = upstream.admission.enter(self._meant())
        except QueueFull as full:
            text = f"the upstream {upstream.name!r} has too much to do: {full}"
            raise refused(refusals.QUEUE_FULL, text) from None
        instance = ticket.place or await self._placed(ticket)
        if self._client is not None and self._number is None and len(upstream.instances) > 1:
            upstream.bindings.bind(self._client, instance, instance.connection)
        instance.at_work.enter(self._stay)
        self._instance = instance
        return instance

    def _end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Whether it ends because it was cut off."""
        upstream, stay = self._upstream, self._stay
        if self._instance is not None:
            self._instance.at_work.leave(stay)
        if self._ticket is not None:
            upstream.admission.leave(self._ticket)
        upstream.need_no_more()
        upstream.at_work.leave(stay)
        stay.scope.__exit__(kind, error, trace)
        return stay.scope.cancelled_caught

    def _cut_off(self) -> McpError:
        assert self._stay.reason is not None
        return unavailable(self._stay.reason)

    def _meant(self) -> Instance | None:
        """The instance that the request belongs to."""
        upstream = self._upstream
        if len(upstream.instances) == 1:
            return None
        for each in upstream.instances:
            if each.number == self._number and upstream.takes(each):
                return each
        held = None if self._client is None else upstream.bindings.find(self._client)
        if held is not None:
            instance, connection = held
            current = instance in upstream.instances and instance.connection == connection
            if current and upstream.takes(instance):
                return instance
        return None

    async def _placed(self, ticket: Ticket[Instance]) -> Instance:
        """Wait for a place: while it starts and while it works as long as for an answer."""
        upstream, now = self._upstream, current_runtime().now
        began = now()
        while ticket.place is None:
            if upstream.is_down:
                raise unavailable(upstream.unavailable_text())
            restarts = upstream.standing().state == "restarting"
            patience = PATIENCE if restarts else upstream.config.timeout
            with trio.move_on_after(began + patience - now()) as waited:
                await ticket.news.wait()
            if waited.cancelled_caught and ticket.place is None:
                raise self._no_place(patience)
        return ticket.place

    def _no_place(self, patience: float) -> McpError:
        upstream = self._upstream
        if not upstream.is_up:
            return unavailable(upstream.unavailable_text(patience))
        text = f"the upstream {upstream.name!r} has had no time for this within {patience:g} s"
        return refused(refusals.BACKPRESSURE, text)
