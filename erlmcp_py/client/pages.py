"""Lists that come in pages, one item after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from erlmcp_py.client.errors import BadAnswer

T = TypeVar("T")

Fetch = Callable[[str | None], Awaitable[tuple[list[T], str | None]]]
"""A page and the cursor of the next: None at the end."""


class Pages(Generic[T]):
    """``async for item in …``; `all` has the rest as a list. A page is fetched when it is needed.

    A cursor that comes a second time would make a list without end: BadAnswer.
    """

    def __init__(self, fetch: Fetch[T], what: str) -> None:
        self._fetch = fetch
        self._what = what
        self._items: list[T] = []
        self._cursor: str | None = None
        self._seen: set[str] = set()
        self._over = False

    def __aiter__(self) -> Pages[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._over:
                raise StopAsyncIteration
            await self._turn()
        return self._items.pop()

    async def all(self) -> list[T]:
        """What is left of the list."""
        return [item async for item in self]

    async def _turn(self) -> None:
        items, cursor = await self._fetch(self._cursor)
        self._items = items[::-1]
        if cursor is None:
            self._over = True
        elif cursor in self._seen:
            raise BadAnswer(f"{self._what}: the cursor {cursor[:80]!r} comes a second time")
        else:
            self._seen.add(cursor)
            self._cursor = cursor
