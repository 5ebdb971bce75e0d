"""Lists that come in pages, one item after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from erlmcp_py.client.errors import BadAnswer

MAX_PAGES: Final = 10_000
"""Pages of one list."""
MAX_EMPTY: Final = 100
"""Pages in a row with nothing on them."""

T = TypeVar("T")

Fetch = Callable[[str | None], Awaitable[tuple[list[T], str | None]]]
"""A page and the cursor of the next: None at the end."""


class Pages(Generic[T]):
    """``async for item in …``; `all` has the rest as a list. A page is fetched when it is needed.

    A list that would not end is a BadAnswer: a cursor that comes a second time, too many pages.
    """

    def __init__(self, fetch: Fetch[T], what: str) -> None:
        self._fetch = fetch
        self._what = what
        self._items: list[T] = []
        self._cursor: str | None = None
        self._seen: set[str] = set()
        self._over = False
        self._empty = 0

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
        self._empty = 0 if items else self._empty + 1
        if cursor is None:
            self._over = True
        elif self._empty >= MAX_EMPTY:
            raise BadAnswer(f"{self._what}: {MAX_EMPTY} empty pages, and there is still one more")
        elif len(self._seen) + 1 >= MAX_PAGES:
            raise BadAnswer(f"{self._what}: {MAX_PAGES} pages, and there is still one more")
        elif cursor in self._seen:
            raise BadAnswer(f"{self._what}: the cursor {cursor[:80]!r} comes a second time")
        else:
            self._seen.add(cursor)
            self._cursor = cursor
