"""Victims that are no processes of the node: the programs of upstreams.

A signal goes to all processes of a program, as if the machine had ended, stopped or broken it. The rest is
the node's own doing, and watched: when it notices, when the upstream is up again, and how many calls that
has cost.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import trio

from chaos.report import Recovery
from erlmcp_py.console.command import CommandError, nearest
from erlmcp_py.console.upstreams import find
from supervisors import Pid

if TYPE_CHECKING:
    from erlmcp_py.gateway.instance import Instance
    from erlmcp_py.gateway.upstream import Upstream

PREFIX: Final = "program:"
"""Of targets: ``program:NAME``, and with several instances ``program:NAME/2``."""
STARTS_WITHIN: Final = 30.0
"""Seconds a program gets to be up again, unless the operator says otherwise; some install themselves."""

SIGNALS: Final = ("kill", "stop", "term", "int", "hup", "quit", "abrt", "segv")


class Program:
    """One that runs now. connection: the process of the node that it belongs to."""

    def __init__(
        self, upstream: Upstream, instance: Instance, connection: Pid, number: signal.Signals
    ) -> None:
        standing = instance.standing()
        self._upstream = upstream
        self._instance = instance
        self._number = number
        self._pid = standing.pid
        self._before = instance.connection
        self._lost = upstream.meter.lost
        self._noticed: float | None = None
        self._up: float | None = None
        self.connection = connection

    @property
    def called(self) -> str:
        """What to call it."""
        return f"program of {self._instance.label}"

    @property
    def pid(self) -> str:
        """The operating system's."""
        return str(self._pid)

    @property
    def within(self) -> float:
        """Seconds after which it should be up again: what hangs is noticed by a ping."""
        config = self._upstream.config
        stopped = self._number == signal.SIGSTOP
        return STARTS_WITHIN + (config.ping_interval + config.ping_timeout if stopped else 0)

    def strike(self) -> None:
        """Send the signal."""
        self._instance.signal(self._number)

    async def watch(self) -> None:
        """Note when the node notices, and when the upstream is up again; the latter ends it."""
        while self._instance.is_up:
            await self._instance.changed()
        self._noticed = trio.current_time()
        while not self._is_back():
            await self._instance.changed()
        self._up = trio.current_time()

    @property
    def has_ended(self) -> bool:
        """Whether it has, also if its connection has started another at once."""
        ended = self._instance.journal.last.get("ended")
        return ended is not None and ended.pid == self._pid

    def _is_back(self) -> bool:
        return self._instance.is_up and self._instance.connection != self._before

    def recovery(self, sent: float) -> Recovery:
        """What was seen; sent: when the signal was."""
        ended = self._instance.journal.last["ended"].text if self.has_ended else None
        standing = self._instance.standing()
        return Recovery(
            upstream=self._instance.label,
            where=self._upstream.where,
            signal=self._number.name,
            was=self._pid,
            pid=standing.pid,
            ended=ended,
            noticed_ms=_ms(sent, self._noticed),
            up_ms=_ms(sent, self._up),
            reason=standing.reason,
            lost=self._upstream.meter.lost - self._lost,
        )


def _ms(sent: float, at: float | None) -> float | None:
    return None if at is None else round((at - sent) * 1000, 3)


async def find_program(target: str, reason: str) -> Program:
    """The program that ``program:NAME`` or ``program:NAME/INSTANCE`` means, and the signal it is to get.

    Raises `CommandError` ``unknown_target``, ``bad_argument``.
    """
    if reason not in SIGNALS:
        raise CommandError(
            "bad_argument",
            f"a program gets a signal: {', '.join(SIGNALS)}; not {reason!r}{nearest(reason, SIGNALS)}",
        )
    name, _, number = target.removeprefix(PREFIX).partition("/")
    upstream = await find(name)
    for instance in upstream.instances:
        connection = instance.client.connection_pid()
        if number in ("", str(instance.number)) and connection and instance.standing().pid:
            return Program(upstream, instance, connection, signal.Signals[f"SIG{reason.upper()}"])
    raise CommandError("unknown_target", _why_none(target, number, upstream))


def _why_none(target: str, number: str, upstream: Upstream) -> str:
    if upstream.config.url:
        return f"{upstream.name} is at {upstream.where}: this node has no program of it"
    numbers = [str(instance.number) for instance in upstream.instances]
    if number and number not in numbers:
        return f"{target}: there is no such instance; there are {', '.join(numbers)}"
    standing = upstream.standing()
    why = f": {standing.reason}" if standing.reason else ""
    return f"{target} does not run: the upstream is {standing.state}{why}"
