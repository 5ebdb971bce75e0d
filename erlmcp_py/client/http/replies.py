"""Our answers to a server's questions, each posted by a process of its own: the stream is read on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from erlmcp_py.client.errors import ClientError
from erlmcp_py.client.inbox import report
from supervisors import spawn

MAX_REPLIES: Final = 200
"""Answers that may wait to be posted, more than questions may wait; with more, some are not sent."""
_POSTS: Final = 10
"""Answers that are posted at a time."""


class Replies:
    """Those of one link. post: raises ClientError."""

    def __init__(self, post: Callable[[bytes], Awaitable[None]]) -> None:
        self._post = post
        self._unsent = 0
        self._posts = trio.Semaphore(_POSTS)

    def send(self, answer: bytes) -> None:
        """Have it posted soon."""
        if self._unsent == MAX_REPLIES:
            report("answers are not sent", "the server asks faster than it takes answers")
        if self._unsent > MAX_REPLIES:
            return
        self._unsent += 1
        spawn(self._send_soon, answer, label="sends an answer")

    async def _send_soon(self, answer: bytes) -> None:
        try:
            async with self._posts:
                await self._post(answer)
        except ClientError as problem:
            report("an answer could not be sent", str(problem))
        finally:
            self._unsent -= 1
