"""The shell around `session`: carries out what its flows ask for, one flow at a time.

WHY a flow has a task of its own: a request gives up after half a minute, a person at a browser does not.
The flow goes on when the request that began it is gone, and the next one finds its token. It ends by
itself: every action has its time.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any, Final, Protocol

import trio

from erlmcp_py.auth.client.actions import (
    Action,
    Ask,
    Draw,
    Fetch,
    Flow,
    Hold,
    Listen,
    Load,
    Now,
    Release,
    Save,
    Visit,
)
from erlmcp_py.auth.client.errors import AuthorizationError, NotAccepted
from erlmcp_py.auth.client.fetching import Fetcher
from erlmcp_py.auth.client.plans import AuthorizationCode, Enterprise, Plan, Visitor, Workload
from erlmcp_py.auth.client.session import Session
from erlmcp_py.auth.client.store import MemoryStore, Shared, Store
from erlmcp_py.auth.client.urls import origin

PAUSE: Final = 60.0
"""Seconds after a failure in which nobody is asked again; twice as many after each that follows. WHY:
connections are made anew all the time, and each would open a page."""
MAX_PAUSE: Final = 3600.0
_ASK_WAIT: Final = 60.0
"""Seconds for an assertion."""
_sent: ContextVar[int] = ContextVar("erlmcp_py.auth.client.sent", default=-1)
"""The serial of the grant that the request of this task was sent with."""


class Answer(Protocol):
    """A response, as far as it matters here. headers: by name in lower case."""

    @property
    def url(self) -> str:
        """Where the request went."""

    @property
    def status(self) -> int:
        """401 and 403 are looked at."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""

    @property
    def tries(self) -> int:
        """How often the request was sent."""


class Authorizations:
    """Of one client. plan: see `plans`; store: see `store`; dpop: bind tokens to a key even where nobody
    demands it; tls: whom to trust; clock: seconds since 1970.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        store: Store | None = None,
        dpop: bool = False,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._store = MemoryStore() if store is None else store
        self._dpop = dpop
        self._tls = tls
        self._clock = clock
        self._session: Session | None = None
        self._running: _Run | None = None
        self._failures = 0
        self._paused = float("-inf")
        self._why = ""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """What to send with a request. The first one's URL is the server's; tokens go to its origin only.

        Raises AuthorizationError.
        """
        session = self._session
        if session is None:
            session = self._session = Session(url, self._plan, dpop=self._dpop)
        elif origin(session.url) != origin(url):
            raise AuthorizationError(f"tokens of {session.url} are not sent to {origin(url)}")
        waits = self._running is not None and session.grant is None
        if waits or not session.ready(self._clock()):
            await self._run(session.prepare)
        _sent.set(session.serial)
        return session.headers(method, url, time=self._clock(), unique=os.urandom(16))

    async def answered(self, answer: Answer) -> bool:
        """A response came. True: send the request again. Raises AuthorizationError."""
        session = self._session
        assert session is not None, "headers() comes first"
        session.seen(answer.url, answer.headers)
        if answer.status not in (401, 403):
            self._failures = 0
            return False
        if self._running is None and trio.current_time() < self._paused:
            raise AuthorizationError(f"{self._why} (it is not tried again at once)")
        serial = _sent.get()
        again: bool = await self._run(
            lambda: session.challenged(answer.status, answer.headers, answer.tries, serial)
        )
        return again

    async def _run(self, make: Callable[[], Flow[Any]]) -> Any:
        while self._running is not None:
            run = self._running
            await run.done.wait()
            run.result()
        run = self._running = _Run()
        trio.lowlevel.spawn_system_task(self._drive, run, make(), name="authorization")
        await run.done.wait()
        return run.result()

    async def _drive(self, run: _Run, flow: Flow[Any]) -> None:
        try:
            async with AsyncExitStack() as stack:
                fetcher = await stack.enter_async_context(Fetcher(self._tls))
                hands = _Hands(self._plan, self._store, fetcher, self._clock, stack, run)
                run.value = await hands.carry_out(flow)
        except Exception as problem:  # noqa: BLE001 -- of users' callbacks too; the waiters raise it
            run.problem = _single(problem)
        finally:
            flow.close()
            if run.problem is not None and (run.asked or isinstance(run.problem, NotAccepted)):
                pause = min(PAUSE * 2 ** min(self._failures, 10), MAX_PAUSE)
                self._failures += 1
                self._paused = trio.current_time() + pause
                self._why = str(run.problem)
            self._running = None
            run.done.set()


class _Run:
    """A flow that is under way. asked: a person or the platform was asked for something."""

    __slots__ = ("asked", "done", "problem", "value")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.value: Any = None
        self.problem: Exception | None = None
        self.asked = False

    def result(self) -> Any:
        """Its value, in every task that waited. Raises AuthorizationError."""
        if self.problem is not None:
            raise AuthorizationError(str(self.problem)) from self.problem
        return self.value


class _Hands:
    """Carries out actions, within one flow. stack: ends what they open."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        fetcher: Fetcher,
        clock: Callable[[], float],
        stack: AsyncExitStack,
        run: _Run,
    ) -> None:
        self._plan = plan
        self._store = store
        self._fetcher = fetcher
        self._clock = clock
        self._stack = stack
        self._run = run
        self._held = AsyncExitStack()
        stack.push_async_exit(self._held)
        self._visitor: Visitor | None = None

    async def carry_out(self, flow: Flow[Any]) -> Any:
        """To its end. Raises what it raises."""
        try:
            action = next(flow)
            while True:
                try:
                    value = await self._do(action)
                except Exception as problem:  # noqa: BLE001 -- the flow decides what it means
                    action = flow.throw(_single(problem))
                else:
                    action = flow.send(value)
        except StopIteration as end:
            return end.value

    async def _do(self, action: Action) -> Any:
        match action:
            case Fetch():
                return await self._fetcher.fetch(action)
            case Now():
                return self._clock()
            case Draw(size):
                return os.urandom(size)
            case Load(key):
                return await self._store.load(key)
            case Save(key, value):
                return await self._store.save(key, value)
            case Hold(key):
                if isinstance(self._store, Shared):
                    await self._held.enter_async_context(self._store.hold(key))
                return None
            case Release():
                return await self._held.aclose()
            case Ask(audience):
                self._run.asked = True
                return await self._ask(audience)
            case Listen(preferred):
                assert isinstance(self._plan, AuthorizationCode)
                receiving = self._plan.receiver(preferred)
                self._visitor = await self._stack.enter_async_context(receiving)
                return self._visitor.redirect_uri
            case Visit(url):
                assert self._visitor is not None, "Listen comes first"
                self._run.asked = True
                return await self._visitor.visit(url)

    async def _ask(self, audience: str) -> str:
        if isinstance(self._plan, Enterprise):
            ask, what = self._plan.provider.id_token, "the ID token"
        else:
            assert isinstance(self._plan, Workload)
            ask, what = self._plan.assertion, "the workload's assertion"
        with trio.move_on_after(_ASK_WAIT):
            return await ask(audience)
        raise AuthorizationError(f"{what} did not come within {_ASK_WAIT:g} s")


def _single(problem: Exception) -> Exception:
    """An error of ours as it is, also out of a nursery; of a callback, that it is one. Its own text may
    hold what it was given, so it is not repeated.
    """
    while isinstance(problem, ExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    if isinstance(problem, AuthorizationError):
        return problem
    wrapped = AuthorizationError(f"authorization failed: {type(problem).__name__}")
    wrapped.__cause__ = problem
    return wrapped
