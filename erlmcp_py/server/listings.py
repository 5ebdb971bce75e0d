"""Functions that list resources: too many to define, or known only when somebody asks.

They are generators, and no further read than a page is long. A server keeps nothing between two
pages, so the function is called anew for each: one that takes ``after``, the address of the last
entry of the page before, begins behind that itself; any other is read again from its beginning, and
what was shown is skipped.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from itertools import islice
from typing import Any

from erlmcp_py.protocol.resources import Resource
from erlmcp_py.server.results import BadResult
from erlmcp_py.server.signature import Handler, location, seconds_of
from erlmcp_py.server.uri import check_uri


def read_listing(function: Callable[..., Any], *, timeout: float) -> Handler:
    """The handler for a generator function; TypeError or ValueError names file:line.

    The handler takes ``seen``, ``last`` and ``size``, and returns a list of `size` entries, or fewer
    at the end.
    """
    where = location(function)
    waits = inspect.isasyncgenfunction(function)
    if not waits and not inspect.isgeneratorfunction(function):
        raise TypeError(f"{where}: a resource list is a generator function; yield the resources")
    names = list(inspect.signature(function).parameters)
    if names not in ([], ["after"]):
        raise TypeError(
            f"{where}: a resource list takes nothing, or (after: str | None), not "
            f"({', '.join(names)})"
        )
    collect = _collect_async if waits else _collect
    return Handler(
        function=collect(function, resumes=bool(names)),
        mode="async" if waits else "inline",
        timeout=seconds_of(timeout, where),
        where=where,
        parameters=(),
        context_name=None,
        returns=inspect.Signature.empty,
        description="",
    )


def checked_entries(value: Any) -> list[Resource]:
    """What a listing returned; `BadResult` if something in it is no resource."""
    for entry in value:
        if not isinstance(entry, Resource):
            raise BadResult(f"a resource list yields Resources, not {type(entry).__name__}")
        try:
            check_uri(entry.uri)
        except ValueError as error:
            raise BadResult(f"a resource list yields {error}") from None
    return list(value)


def _collect(function: Callable[..., Iterator[Any]], *, resumes: bool) -> Callable[..., Any]:
    def collect(seen: int, last: str | None, size: int) -> list[Any]:
        skipped = 0 if resumes else seen
        with closing(function(last) if resumes else function()) as entries:  # type: ignore[type-var]
            return list(islice(entries, skipped, skipped + size))

    return collect


def _collect_async(
    function: Callable[..., AsyncIterator[Any]], *, resumes: bool
) -> Callable[..., Any]:
    async def collect(seen: int, last: str | None, size: int) -> list[Any]:
        skipped = 0 if resumes else seen
        found: list[Any] = []
        async with aclosing(function(last) if resumes else function()) as entries:  # type: ignore[type-var]
            async for entry in entries:
                if skipped:
                    skipped -= 1
                    continue
                found.append(entry)
                if len(found) == size:
                    break
        return found

    return collect
