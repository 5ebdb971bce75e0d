"""Asking a client of 2026-07-28: the request ends, and comes again with the answers.

The server keeps nothing between the rounds (MCP 2026-07-28, multi-round-trip requests), so there is
no handler that waits. It is run again from its beginning, and every question it asks is looked up in
what is known by then: the answers of this round, and those of earlier ones, which have travelled
with the client in `requestState`. The first question without an answer ends the run. Hence the two
duties of a handler that asks: to ask the same questions on the same way (`key` where the order may
change), and to wrap in `once` what must not happen twice.

WHY the signal derives from BaseException: a handler's `except Exception` is about its own failures,
and this is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from erlmcp_py.server.interaction.question import Question, Unusable
from erlmcp_py.server.interaction.steps import run_step


class InputRequired(BaseException):
    """Ends a run of a handler: these questions have no answer yet."""

    def __init__(self, questions: Mapping[str, Question]) -> None:
        super().__init__(f"input is required: {', '.join(questions)}")
        self.questions = dict(questions)


class BecomesTask(BaseException):
    """Ends a run of a handler that is to go on as a task, from its beginning, with what it carries."""


class Carried(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"answers": "a", "steps": "s"}
):
    """What travels in `requestState`: the answers that were used, and the results of steps."""

    answers: dict[str, msgspec.Raw] = {}
    steps: dict[str, msgspec.Raw] = {}


class Rounds:
    """The `Interaction` of one run. carried: from earlier rounds; answers: what came with this one.

    An earlier answer counts, not one that is sent again: the handler has gone on from it.
    """

    __slots__ = ("_answers", "_carried", "_steps")

    def __init__(self, carried: Carried, answers: Mapping[str, msgspec.Raw]) -> None:
        self._answers = {**answers, **carried.answers}
        self._carried = dict(carried.answers)
        self._steps = dict(carried.steps)

    def carry(self) -> Carried:
        """What the next round has to know."""
        return Carried(self._carried, self._steps)

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, Any]:
        """The answers; `InputRequired` with the questions that have none, or none of use."""
        values: dict[str, Any] = {}
        missing: dict[str, Question] = {}
        for key, question in questions.items():
            answer = self._answers.get(key)
            if answer is None:
                missing[key] = question
                continue
            # A refusal is an answer too, and must not be asked for again.
            self._carried[key] = answer
            try:
                values[key] = question.read(answer)
            except Unusable:
                del self._carried[key]
                missing[key] = question
        if missing:
            raise InputRequired(missing)
        return values

    async def once(self, key: str, step: Callable[[], Any]) -> Any:
        """The result of the step as JSON knows it: a later round gets what it was, read back."""
        known = self._steps.get(key)
        if known is not None:
            return msgspec.json.decode(known)
        value, self._steps[key] = await run_step(step)
        return value


def find_signal(error: BaseException) -> InputRequired | None:
    """The signal in what left a handler: itself, or out of the nurseries it came through.

    Questions that were asked side by side are asked together. None if anything else is in it that
    matters more: a failure of the handler.
    """
    if isinstance(error, InputRequired):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    signals, others = error.split(InputRequired)
    if signals is None or others is not None:
        return None
    merged: dict[str, Question] = {}
    for inner in signals.exceptions:
        found = find_signal(inner)
        if found is not None:
            merged |= found.questions
    return InputRequired(merged)


def wants_task(error: BaseException) -> bool:
    """Whether a handler ended with the wish to become a task, be it out of nurseries, and with nothing
    else.
    """
    if isinstance(error, BaseExceptionGroup):
        wishes, others = error.split(BecomesTask)
        return wishes is not None and others is None
    return isinstance(error, BecomesTask)
