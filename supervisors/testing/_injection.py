"""Making a child or a callback fail, hang or be slow, on demand.

The code under test stays as it is: a child specification or a server class is wrapped, and
behaves as ever until a fault is ordered. A fault is used up after `times` uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import trio

from .._errors import Ignore, StartError
from .._gen_server.behaviour import CALLBACKS, GenServer
from .._supervisor.spec import ChildSpec

When = Callable[..., object]
Server = TypeVar("Server", bound=GenServer)


@dataclass(slots=True)
class _Order:
    where: Hashable
    when: When | None
    left: float
    seconds: float = 0.0
    error: BaseException | None = None


class Faults:
    """A set of faults, ordered by a test and met by what it has wrapped.

    where: the id of a child whose `spec` was wrapped (its start function), or the name of
    a callback ("init", "handle_call", "terminate" …) of a server that was wrapped with
    `server`. times: how often; `math.inf` for always. when: called with the callback's
    arguments; the fault waits for a call that it accepts.
    """

    def __init__(self) -> None:
        self._orders: list[_Order] = []
        self.met: list[Hashable] = []
        """Where a fault struck, in order."""

    # --- ordering ---------------------------------------------------------------------

    def crash(
        self,
        where: Hashable,
        error: BaseException | None = None,
        *,
        times: float = 1,
        when: When | None = None,
    ) -> None:
        """Raise `error` there; by default RuntimeError("injected")."""
        self._add(where, when, times, error=error or RuntimeError("injected"))

    def fail_start(self, where: Hashable, reason: Any = "injected", *, times: float = 1) -> None:
        """The child's start function fails with ``StartError(reason)``."""
        self._add(where, None, times, error=StartError(reason))

    def ignore(self, where: Hashable, *, times: float = 1) -> None:
        """The child's start function says that it is to be left out (rule V3)."""
        self._add(where, None, times, error=Ignore("injected"))

    def delay(
        self, where: Hashable, seconds: float, *, times: float = 1, when: When | None = None
    ) -> None:
        """Take `seconds` longer there, then go on."""
        self._add(where, when, times, seconds=seconds)

    def hang(self, where: Hashable, *, times: float = 1, when: When | None = None) -> None:
        """Never come back from there; a signal ends it."""
        self._add(where, when, times, seconds=math.inf)

    def clear(self) -> None:
        """Forget what has not struck."""
        self._orders.clear()

    # --- wrapping ---------------------------------------------------------------------

    def spec(self, child: ChildSpec) -> ChildSpec:
        """The same child with a start function that meets faults ordered for its id."""
        start, args = child.start

        async def faulty_start(*arguments: Any) -> Any:
            await self._wait(child.id, arguments)
            returned = start(*arguments)
            return await returned if hasattr(returned, "__await__") else returned

        return replace(child, start=(faulty_start, args))

    def server(self, cls: type[Server]) -> type[Server]:
        """A subclass whose callbacks meet faults.

        It is plain if `cls` is, and then can crash but not be slow: a plain callback
        cannot wait. `waiting_server` makes one that can.
        """
        return self._subclass(cls, asynchronous=not cls.is_plain)

    def waiting_server(self, cls: type[Server]) -> type[Server]:
        """As `server`, with async callbacks, so that they can be slow and hang."""
        return self._subclass(cls, asynchronous=True)

    def _subclass(self, cls: type[Server], *, asynchronous: bool) -> type[Server]:
        wrap = self._waiting if asynchronous else self._plain
        body = {name: wrap(name, getattr(cls, name)) for name in CALLBACKS if hasattr(cls, name)}
        made: Any = type(cls.__name__, (cls,), {**body, "__module__": cls.__module__})
        return cast("type[Server]", made)

    # --- meeting ----------------------------------------------------------------------

    def _plain(self, name: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(server: GenServer, *args: Any) -> Any:
            for order in self._due(name, args):
                if order.error is None:
                    raise ValueError(
                        f"{name} of {type(server).__qualname__} is plain and cannot wait: "
                        "wrap the class with Faults.waiting_server() to delay or hang it"
                    )
                raise order.error
            return callback(server, *args)

        return faulty

    def _waiting(self, name: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        async def faulty(server: GenServer, *args: Any) -> Any:
            await self._wait(name, args)
            returned = callback(server, *args)
            return await returned if hasattr(returned, "__await__") else returned

        return faulty

    async def _wait(self, where: Hashable, args: tuple[Any, ...]) -> None:
        for order in self._due(where, args):
            if order.error is not None:
                raise order.error
            if order.seconds == math.inf:
                await trio.sleep_forever()
            await trio.sleep(order.seconds)

    def _due(self, where: Hashable, args: tuple[Any, ...]) -> list[_Order]:
        due = [
            order
            for order in self._orders
            if order.where == where and (order.when is None or order.when(*args))
        ][:1]
        for order in due:
            order.left -= 1
            if order.left <= 0:
                self._orders.remove(order)
            self.met.append(where)
        return due

    def _add(self, where: Hashable, when: When | None, times: float, **what: Any) -> None:
        self._orders.append(_Order(where, when, times, **what))
