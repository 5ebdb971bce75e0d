"""Asking a client of the revisions with sessions: a request of ours, while the handler waits.

The process that owns the way back to the client (`Scope.peer`) sends the request on the stream of
the call it belongs to, and replies when the response has come. Meanwhile the handler's time does
not run: what a person takes to answer is bounded by `patience` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import trio
from msgspec import Raw

import supervisors
from erlmcp_py.protocol.jsonrpc import ErrorObject, Message, raw
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.server.interaction.question import Question, Refused, Unusable
from erlmcp_py.server.interaction.steps import run_step
from erlmcp_py.sessions.asks import Ask, Withdraw
from supervisors import CallExit, Pid, format_reason


@dataclass(frozen=True, slots=True)
class Waits:
    """To the server process: the handler `pid` begins or ends to wait for its client."""

    pid: Pid
    waiting: bool


class PeerQuestions:
    """The `Interaction` of one call.

    server: the process to tell when the handler waits. peer: whom to ask. send: puts a message on
    the stream of the call. patience: seconds for one answer.
    """

    __slots__ = ("_asking", "_patience", "_peer", "_send", "_server", "_version")

    def __init__(
        self,
        server: Pid,
        peer: Pid,
        send: Callable[[Message], bool],
        version: str,
        patience: float,
    ) -> None:
        self._server = server
        self._peer = peer
        self._send = send
        self._version = version
        self._patience = patience
        self._asking = 0

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, Any]:
        """Ask all at once; the answers when all are there. `Refused` by the first refusal."""
        own = supervisors.self()
        values: dict[str, Any] = {}
        refusals: list[Refused] = []

        async def one(key: str, question: Question) -> None:
            try:
                values[key] = await self._one(own, question)
            except Refused as refusal:
                refusals.append(refusal)
                nursery.cancel_scope.cancel()

        self._wait(own, 1)
        try:
            async with trio.open_nursery() as nursery:
                for key, question in questions.items():
                    nursery.start_soon(one, key, question)
        finally:
            self._wait(own, -1)
        if refusals:
            raise refusals[0]
        return {key: values[key] for key in questions}

    async def once(self, _key: str, step: Callable[[], Any]) -> Any:
        """The result of the step as JSON knows it, as the other era has it."""
        return (await run_step(step))[0]

    def _wait(self, own: Pid, change: int) -> None:
        """Several tasks of one handler may ask; its time stands still while any of them waits."""
        before, self._asking = self._asking, self._asking + change
        if bool(before) != bool(self._asking):
            supervisors.send(self._server, Waits(own, self._asking > 0))

    async def _one(self, own: Pid, question: Question) -> Any:
        method = question.method
        ticket = object()
        ask = Ask(own, ticket, method, _params_of(question, self._version), self._send)
        try:
            kind, value = await supervisors.call(self._peer, ask, self._patience)
        except CallExit as problem:
            supervisors.cast(self._peer, Withdraw(ticket, "nobody waits for the answer any more"))
            text = (
                f"the client did not answer {method} within {self._patience:g} s"
                if problem.cause == "timeout"
                else f"the way to the client was lost: {format_reason(problem.cause)}"
            )
            raise Refused("error", text) from None
        except trio.Cancelled:
            supervisors.cast(self._peer, Withdraw(ticket, "the answer is not needed any more"))
            raise
        if kind == "failed":
            raise Refused("error", f"the client cannot be asked: {value}")
        if kind == "error":
            error: ErrorObject = value
            raise Refused("error", f"the client refused {method}: {error.message} ({error.code})")
        try:
            return question.read(value)
        except Unusable as problem:
            text = f"the client's answer to {method} cannot be used: {problem}"
            raise Refused("error", text) from None


def _params_of(question: Question, version: str) -> Raw | None:
    params = question.request.params
    return None if params is None else raw(fit(params, version))
