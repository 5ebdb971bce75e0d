"""A request from its beginning to its result: time, retries, rounds of questions.

WHAT is retried: a request that was certainly not sent, and one of a method that changes nothing. Both wait
for a connection as long as their time lasts. `tools/call` is never sent twice, whatever the tool says of
itself: MCP calls its annotations hints that must not be relied on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import trio

from erlmcp_py.client.calls import Answer, Call, TimeIsUp
from erlmcp_py.client.desk import CLOSED, Desk
from erlmcp_py.client.errors import (
    ClientError,
    ConnectError,
    ConnectionLost,
    NotConnected,
    RequestTimeout,
    SessionLost,
)
from erlmcp_py.client.handlers import Answerer
from erlmcp_py.client.link import Hello, Link
from erlmcp_py.protocol.elicitation import ELICIT, ElicitResult, URLElicitationRequiredData
from erlmcp_py.protocol.errors import URL_ELICITATION_REQUIRED, McpError
from erlmcp_py.protocol.input import InputRequests, InputRequiredResult, method_of
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Response
from erlmcp_py.protocol.methods import find_request
from erlmcp_py.protocol.results import read_result

ROUNDS: Final = 10
"""How often a server may ask before it answers (CONFORMANCE 1.7)."""
LONGEST: Final = 3600.0
"""Seconds after which a request is given up, however much progress is reported."""
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

SAFE: Final = frozenset(
    {
        "server/discover",
        "ping",
        "tools/list",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "resources/directory/read",
        "completion/complete",
        "logging/setLevel",
        "skills/list",
        "skills/get",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/cancel",
    }
)
"""Methods that can be sent twice."""


class Requests:
    """Of one client."""

    def __init__(self, desk: Desk, handlers: Answerer) -> None:
        self._desk = desk
        self._handlers = handlers
        self._patient: set[Call] = set()

    def close(self) -> None:
        """The client is no more: end what is under way on links that do not end it themselves."""
        for call in self._patient:
            if call.scope is not None:
                call.scope.cancel()

    async def result(self, call: Call, timeout: float, *, tasks: bool = False) -> tuple[Any, bool]:
        """The result (a Struct of the protocol), and whether questions were answered for it.

        Raises McpError for the server's error, InvalidResult, ClientError.
        """
        params = call.params
        for number in range(ROUNDS + 1):
            try:
                response, version = await self.response(call, timeout)
            except McpError as error:
                if error.code != URL_ELICITATION_REQUIRED or number >= ROUNDS:
                    raise
                await self._send_user(error)
                continue
            method = find_request(call.method, version)
            if method is None:
                text = f"{call.method} does not exist in {version}, which the server speaks"
                raise McpError(-32601, text)
            result = read_result(response, method, version, tasks=tasks)
            if not isinstance(result, InputRequiredResult):
                return result, number > 0
            call.params = await self.next_round(params, result, version)
        raise ClientError(f"{call.method}: the server still asks after {ROUNDS} rounds")

    async def next_round(
        self, params: Mapping[str, Any], asked: InputRequiredResult, version: str
    ) -> Mapping[str, Any]:
        """The parameters with the answers to what a server asks."""
        again = dict(params)
        if asked.input_requests:
            again["inputResponses"] = await self.answers(asked.input_requests, version)
        if asked.request_state is not None:
            again["requestState"] = asked.request_state
        return again

    async def answers(self, questions: InputRequests, version: str) -> dict[str, Any]:
        """The answers by their keys, one question after the other: users do one thing at a time."""
        return {
            key: await self._handlers.answer(method_of(question), question.params or {}, version)
            for key, question in questions.items()
        }

    async def response(self, call: Call, timeout: float) -> tuple[Response, str]:
        """The response and the revision it is of; no rounds. Raises McpError for an error."""
        answer, version = await self.answer(call, timeout)
        if isinstance(answer, ErrorResponse):
            raise McpError(answer.error.code, answer.error.message, answer.error.data)
        return answer, version

    async def answer(self, call: Call, timeout: float) -> tuple[Answer, str]:
        """The answer, good or bad, in time. Raises ClientError."""
        await trio.lowlevel.checkpoint_if_cancelled()  # else it would be sent, and do its work
        desk = self._desk
        desk.busy += 1
        try:
            now = trio.current_time()
            call.patience = timeout
            call.latest = now + max(LONGEST, timeout)
            link = desk.link
            if link is not None and link.keeps_time:
                call.deadline, call.scope = now + timeout, None
                try:
                    return await link.send(call), link.version
                except (ConnectError, ConnectionLost) as problem:
                    if problem.maybe_done and call.method not in SAFE:
                        raise
                    await trio.lowlevel.checkpoint()
            return await self._patiently(call, now + timeout)
        except TimeIsUp:
            raise self._late(call, timeout) from None
        finally:
            desk.busy -= 1

    async def _patiently(self, call: Call, deadline: float) -> tuple[Answer, str]:
        """The same by any link, the next one too. Raises NotConnected if none came in time."""
        desk = self._desk
        sent = False
        failure: ClientError | None = None
        call.deadline = math.inf
        with trio.CancelScope(deadline=deadline) as call.scope:
            self._patient.add(call)
            tries = 0
            try:
                while True:
                    link = desk.link
                    if link is None:
                        link = await self._linked()
                    try:
                        sent = True
                        return await link.send(call), link.version
                    except (ConnectError, ConnectionLost) as problem:
                        if problem.maybe_done and call.method not in SAFE:
                            raise
                        sent, failure = False, problem
                        tries += 1
                        lost = isinstance(problem, SessionLost)
                        await self._pause(link, tries, lost=lost)
            finally:
                self._patient.discard(call)
        if desk.state == "closed":
            raise ConnectionLost(CLOSED) if sent else NotConnected(CLOSED)
        if sent:
            raise TimeIsUp
        waited = f"{call.patience:g} s: {desk.reason or failure or 'there was none yet'}"
        raise NotConnected(f"{call.method}: not connected for {waited}")

    def _late(self, call: Call, timeout: float) -> RequestTimeout:
        longest = call.latest <= trio.current_time()
        waited = f"{max(LONGEST, timeout):g} s, only progress" if longest else f"{timeout:g} s"
        return RequestTimeout(f"{call.method}: no answer within {waited}")

    async def hello(self, timeout: float) -> Hello:
        """Of the last connection; the first one is waited for. Raises NotConnected."""
        desk = self._desk
        if desk.hello is None:
            with trio.move_on_after(timeout):
                await self._linked()
        if desk.hello is None:
            why = desk.reason or "there was none yet"
            raise NotConnected(f"not connected for {timeout:g} s: {why}")
        return desk.hello

    async def _linked(self) -> Link:
        desk = self._desk
        while desk.link is None:
            if desk.state == "closed":
                raise NotConnected(CLOSED)
            await desk.changed()
        return desk.link

    async def _pause(self, link: Link, tries: int, *, lost: bool) -> None:
        """Before another try, until the connection changes: one that cannot be written to is as good as
        gone, and a new one comes soon.
        """
        if self._desk.link is link and (lost or tries > 1):
            longest = min(_PAUSE * 2 ** min(tries, 10), _LONGEST_PAUSE)
            with trio.move_on_after(longest * (1 - 0.5 * random.random())):
                await self._desk.changed()
        else:
            await trio.lowlevel.checkpoint()

    async def _send_user(self, error: McpError) -> None:
        """-32042 of 2025-11-25: the user has to visit pages first. Raises `error` if not all agree."""
        try:
            data = msgspec.convert(error.data, URLElicitationRequiredData)
        except msgspec.ValidationError:
            raise error from None
        for question in data.elicitations:
            answer = await self._handlers.answer(ELICIT, question, "2025-11-25")
            if not isinstance(answer, ElicitResult) or answer.action != "accept":
                raise error
