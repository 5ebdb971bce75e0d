"""The process of a connection: opens it, agrees with the server on a revision, and ends with it.

Its supervisor starts it again, after a pause that grows from one second to sixty. WHY it does not connect
in its start function: a supervisor that waits for a server of somebody else serves nobody meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from erlmcp_py.client.agreeing import TryEvents, agree
from erlmcp_py.client.calls import Call
from erlmcp_py.client.desk import Desk
from erlmcp_py.client.duplex import LAST_WORDS
from erlmcp_py.client.eras import eras
from erlmcp_py.client.errors import (
    ClientError,
    ConnectError,
    ConnectionLost,
    HttpStatus,
    SessionLost,
)
from erlmcp_py.client.identity import Identity
from erlmcp_py.client.inbox import Inbox, report
from erlmcp_py.client.link import Hello, Link
from erlmcp_py.client.negotiation import Mode, Negotiation
from erlmcp_py.client.opening import open_events, open_link
from erlmcp_py.client.where import AtUrl, Where, located
from supervisors import (
    Backoff,
    ChildSpec,
    Exit,
    Pid,
    current_runtime,
    exit_signal,
    is_alive,
    spawn_link,
)

PAUSE: Final = Backoff(first=1.0, factor=2.0, limit=60.0, jitter=0.5)
"""Before a connection is made again."""
_SHUTDOWN: Final = 10.0
"""Seconds for a program to end: more than its graces."""
_LIVED: Final = 1.0
"""Seconds after which a session that is lost is begun anew at once; one that dies sooner has to wait."""


_ENDED: Final = "the connection's process was ended"


class Connection:
    """What the process needs; made once per client. timeout: seconds for each answer to a greeting.
    pause: before it is started again, None: `PAUSE`. followed: see `options.Options`.
    """

    def __init__(
        self,
        where: Where,
        mode: Mode,
        identity: Identity,
        inbox: Inbox,
        desk: Desk,
        timeout: float,
        pause: Backoff | None = None,
        *,
        followed: bool = False,
    ) -> None:
        self._where = where
        self._mode: Mode = mode
        self._identity = identity
        self._inbox = inbox
        self._desk = desk
        self.timeout = timeout
        self._pause = PAUSE if pause is None else pause
        self.is_followed = followed
        """Whether somebody else says what becomes of it, as whoever opens a client is told himself."""
        self._pid: Pid | None = None
        self._ended_for = _ENDED

    def child_spec(self) -> ChildSpec:
        """The process as a child."""
        known = {name: getattr(self._pause, name) for name in Backoff.__dataclass_fields__}
        pause = _Announced(**known, announce=self._put_off)
        return ChildSpec("connection", (self._start_link, ()), shutdown=_SHUTDOWN, backoff=pause)

    def close(self, reason: str) -> None:
        """The process, if there is one, is about to be ended: nothing more is sent there."""
        if self.pid is not None:
            self._ended_for = reason
            self._desk.down(self._desk.link, ConnectionLost(reason))

    def end(self, reason: str) -> None:
        """End the process, if there is one; another is started after the usual pause."""
        self.close(reason)
        if self.pid is not None:
            exit_signal(self.pid, _lost(reason))

    @property
    def pid(self) -> Pid | None:
        """Of the process, while there is one."""
        return self._pid if self._pid is not None and is_alive(self._pid) else None

    def _start_link(self) -> Pid:
        self._pid = spawn_link(self._run, label=f"connection to {self._where}")
        return self._pid

    def _put_off(self, seconds: float) -> None:
        self._desk.put_off(seconds)
        if not self.is_followed and self._desk.state != "closed":
            what = "not made" if self._desk.in_vain else "lost"
            why = located(self._where, self._desk.reason or _ENDED)
            again = f"it is made again in {seconds:.{0 if seconds >= 10 else 1}f} s"
            report(f"a connection was {what}", f"{why}; {again}")

    async def _run(self) -> None:
        """Ends with `_lost`, which is no crash: it is told as soon as it is known how it goes on."""
        try:
            await self._connect()
        except ClientError as problem:
            self._desk.down(None, problem)
            raise Exit(_lost(str(problem))) from None
        finally:
            if self._desk.state == "connecting":
                self._desk.down(None, ConnectionLost(_ENDED))

    async def _connect(self) -> None:
        """Connect, and again where that makes sense at once; raises why it does not any more."""
        remembered = eras.recall(self._where.key)
        while True:
            began = current_runtime().now()
            try:
                await self._once(Negotiation(self._mode, remembered, has_events=self._is_http()))
            except TryEvents as refused:
                await self._try_events(str(refused))
            except SessionLost:
                if current_runtime().now() - began < _LIVED:
                    raise
                remembered = eras.recall(self._where.key)
            except _DiedAtDiscover as death:
                # Some older programs end when they are asked what they do not know.
                if self._mode != "auto" or remembered == "legacy" or self._is_http():
                    raise death.why from None
                remembered = "legacy"

    def _is_http(self) -> bool:
        return isinstance(self._where, AtUrl)

    async def _once(self, machine: Negotiation) -> None:
        async with open_link(self._where, self._identity, self._inbox) as link:
            await self._hold(link, machine)

    async def _try_events(self, refusal: str) -> None:
        """The transport of 2024-11-05; where it is not that either, what was said first counts."""
        assert isinstance(self._where, AtUrl)
        try:
            async with open_events(self._where, self._identity, self._inbox) as link:
                await self._hold(link, Negotiation("legacy"))
        except HttpStatus:
            raise ConnectError(refusal) from None
        except _DiedAtDiscover as death:
            raise death.why from None

    async def _hold(self, link: Link, machine: Negotiation) -> None:
        """Attend to the link until it is lost; raises why."""
        ended: list[Exception] = []
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._attend, link, ended, nursery.cancel_scope)
                try:
                    silent = not self._is_http()
                    hello = await agree(link, machine, self._identity, self.timeout, silent=silent)
                    await self._begin(link, hello)
                except (ClientError, TryEvents) as problem:
                    if isinstance(problem, ConnectionLost) and not self._is_http():
                        with trio.move_on_after(2 * LAST_WORDS):
                            await trio.sleep_forever()  # who reads knows better why
                    ended.append(problem)
                else:
                    await trio.sleep_forever()
                nursery.cancel_scope.cancel()
        finally:
            reason, self._ended_for = self._ended_for, _ENDED
            why = ended[0] if ended else ConnectionLost(reason)
            if self._desk.link is link:
                self._desk.down(link, why)
            link.lose(lambda: ConnectionLost(str(why)))
        why = ended[0]
        if isinstance(why, ConnectionLost) and link.hello is None and link.era == "modern":
            raise _DiedAtDiscover(why)
        raise why

    async def _begin(self, link: Link, hello: Hello) -> None:
        link.greeted(hello)
        if self._mode == "auto":  # else it may not be the era the server prefers
            eras.remember(self._where.key, hello.era)
        await link.listening()  # so that nothing it says is missed
        await self._wish(link, hello)
        self._desk.up(link, hello)

    async def _wish(self, link: Link, hello: Hello) -> None:
        """Say what an older server has to be told once."""
        level = self._identity.log_level
        if level is None or hello.era == "modern" or hello.capabilities.logging is None:
            return
        with trio.move_on_after(self.timeout):
            await link.send(Call("logging/setLevel", {"level": level}))

    async def _attend(self, link: Link, ended: list[Exception], scope: trio.CancelScope) -> None:
        try:
            await link.attend()
        except ClientError as problem:
            ended.append(problem)
        link.lose(lambda: ConnectionLost(str(ended[0])))
        scope.cancel()


@dataclass(frozen=True, slots=True)
class _Announced(Backoff):
    """Tells how long each pause is, which only the supervisor knows that draws it. announce: seconds."""

    announce: Callable[[float], object] = field(default=float, repr=False, compare=False)

    def pause(self, step: int) -> float:
        """See `Backoff`."""
        seconds = Backoff.pause(self, step)
        self.announce(seconds)
        return seconds


class _DiedAtDiscover(Exception):
    def __init__(self, why: ConnectionLost) -> None:
        super().__init__(str(why))
        self.why = why


def _lost(text: str) -> tuple[str, object]:
    return ("shutdown", ("connection_lost", text))
