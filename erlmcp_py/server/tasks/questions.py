"""Asking the client of a task: the task is parked until somebody brings the answers.

The handler waits, in its own process, for as long as the task lives. How the answers come is not its
affair: by `tasks/update` from a client of 2026-07-28, or by a `tasks/result` of 2025-11-25, which puts
the questions to its client and brings back what it says (`courier`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import trio

from erlmcp_py.server.interaction.question import Question, Unusable
from erlmcp_py.server.interaction.rounds import Carried
from erlmcp_py.server.interaction.steps import run_step
from erlmcp_py.server.tasks.book import TaskBook


class TaskQuestions:
    """The `Interaction` of a task. carried: what its call had asked and done before it was one."""

    __slots__ = ("_book", "_carried", "_id")

    def __init__(self, book: TaskBook, id: str, carried: Carried) -> None:
        self._book = book
        self._id = id
        self._carried = carried

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, Any]:
        """The answers when all are there. `Refused` by the first that is none, in their order."""
        values: dict[str, Any] = {}
        missing: dict[str, Question] = {}
        for key, question in questions.items():
            answer = self._carried.answers.get(key)
            try:
                if answer is not None:
                    values[key] = question.read(answer)
                    continue
            except Unusable:
                pass
            missing[key] = question
        if missing:
            parked = self._book.ask(self._id, missing)
            try:
                while not all(pending.answered for pending in parked.values()):
                    await self._book.change(self._id)
            except trio.Cancelled:
                self._book.withdraw(self._id, parked.values())
                raise
            values |= {key: pending.take() for key, pending in parked.items()}
        return {key: values[key] for key in questions}

    async def once(self, key: str, step: Callable[[], Any]) -> Any:
        """The result of the step as JSON knows it."""
        known = self._carried.steps.get(key)
        if known is not None:
            return msgspec.json.decode(known)
        return (await run_step(step))[0]
