"""The resources of an upstream whose changes clients of ours have asked for.

That they are not interested any more is not told: who subscribes is known to the process of subscriptions
only. So it is asked now and then, and what nobody wants is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import trio

MAX_FOLLOWED: Final = 1000
"""Resources of one upstream whose changes are told."""
GRACE: Final = 5.0
"""Seconds after somebody has asked for a resource in which it is not dropped: the subscription may still be
on its way."""


class Followed:
    """Of one upstream. news: set when there are others; a new one each time."""

    def __init__(self) -> None:
        self.news = trio.Event()
        self._asked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._asked))

    def __contains__(self, uri: object) -> bool:
        return uri in self._asked

    def add(self, uri: str, now: float) -> bool:
        """Somebody asks for this one; False if too many are followed."""
        is_new = uri not in self._asked
        if is_new and len(self._asked) >= MAX_FOLLOWED:
            return False
        self._asked[uri] = now
        if is_new:
            self._tell()
        return True

    def drop(self, uris: Iterable[str], now: float) -> None:
        """Nobody has subscribed to these; those that were asked for just now are kept."""
        for uri in uris:
            if self._asked.get(uri, now) + GRACE <= now:
                del self._asked[uri]
        self._tell()

    def refused(self, uri: str) -> None:
        """The upstream does not tell of this one."""
        self._asked.pop(uri, None)

    def _tell(self) -> None:
        news, self.news = self.news, trio.Event()
        news.set()
