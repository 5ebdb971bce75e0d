"""The process that has the configuration read again, and has done what of it needs no restart.

It does one thing after the other, so two reloads at once are two reloads. What has changed is decided
before anything is done, and an error changes nothing. It may be killed over it: a `Book` lies in its
child spec, and its successor does what was left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

from erlmcp_py.config import Config, ConfigError, UpstreamConfig, check_served, check_together
from erlmcp_py.gateway.changes import Changes, UpstreamChanges, compare, effective
from erlmcp_py.gateway.fleet import Fleet
from erlmcp_py.guards import drain
from erlmcp_py.telemetry.log import log, set_level
from supervisors import ChildSpec, GenServer, call, cast

NAME: Final = "reload"
PAUSE: Final = 0.1
"""Seconds between two readings of the configuration that have to agree."""
READINGS: Final = 20
"""So many are tried while somebody writes it."""

Read = Callable[[], Config]


class Book:
    """config: in effect, but for the upstreams, which `fleet` knows. read: reads the configuration as it
    was read at the start; raises `ConfigError`.
    """

    def __init__(self, config: Config, read: Read, fleet: Fleet) -> None:
        self._config = config
        self.read = read
        self.fleet = fleet
        self.is_left = False
        """Whether somebody was killed over doing what another was killed over; the next reload does it."""

    @property
    def config(self) -> Config:
        """What is in effect."""
        return msgspec.structs.replace(self._config, upstreams=self.fleet.configured)

    def take(self, config: Config, changes: UpstreamChanges) -> None:
        """Have this in effect, as a whole, or with `ConfigError` nothing of it."""
        self.fleet.change(config.upstreams, changes)
        self._config = config


class Reloaded(msgspec.Struct, frozen=True):
    """What a reload has changed. order: of all upstreams. cut_off: requests that took longer than they had,
    by upstream. problems: what could not be done.
    """

    changes: Changes
    order: tuple[str, ...]
    cut_off: dict[str, int]
    problems: list[str]

    def lines(self) -> list[str]:
        """For people, one for each change."""
        upstreams = self.changes.upstreams
        found = [f"added: {name}" for name in upstreams.added]
        found += [f"removed: {name}{self._cut(name)}" for name in upstreams.removed]
        for name, keys in upstreams.anew.items():
            found.append(f"started anew: {name} ({', '.join(keys)}){self._cut(name)}")
        for name, keys in upstreams.adjusted.items():
            found.append(f"adjusted: {name} ({', '.join(keys)})")
        if upstreams.reordered:
            found.append(f"in another order: {', '.join(self.order)}")
        found += [f"applied: {key}" for key in self.changes.applied]
        found += [f"needs a restart of the node: {key}" for key in self.changes.pending]
        found += [f"problem: {problem}" for problem in self.problems]
        return found or ["nothing has changed"]

    def _cut(self, name: str) -> str:
        count = self.cut_off.get(name, 0)
        if not count:
            return ""
        what = "1 request was" if count == 1 else f"{count} requests were"
        return f"; {what} cut off at the deadline"


def child_spec(book: Book) -> ChildSpec:
    """The process as a child."""
    return Reloader.child_spec(book, id=NAME, name=NAME)


class Reloader(GenServer):
    """Call it through the functions of this module."""

    def init(self, book: Book) -> tuple[Any, ...]:
        """Go on where a predecessor was killed."""
        return ("ok", book, ("continue", "finish"))

    async def handle_continue(self, _: Any, book: Book) -> tuple[Any, ...]:
        """Nothing to do, as a rule. If it comes to the same end again, that is no reason for a third time."""
        if book.fleet.is_changing and not book.is_left:
            book.is_left = True
            _, problems = await _carry_out(book, book.config.drain.deadline)
            for problem in problems:
                log("error", f"reload: {problem}")
        return ("noreply", book)

    async def handle_call(self, request: Any, _from: Any, book: Book) -> tuple[Any, ...]:
        """``("reload", who, deadline)`` -> ("ok", Reloaded) | ("refused", lines)."""
        match request:
            case ("reload", str() as who, deadline):
                return ("reply", await _reload(book, who, deadline), book)
        return ("reply", ("error", f"reload does not know {request!r}"), book)

    async def handle_cast(self, request: Any, book: Book) -> tuple[Any, ...]:
        """``("reload", who)``, of somebody who reads the log."""
        match request:
            case ("reload", str() as who):
                await _reload(book, who, None)
        return ("noreply", book)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the upstreams there are, not what their environment is."""
        state = status.get("state")
        if not isinstance(state, Book):
            return status
        return {**status, "state": {"upstreams": list(state.fleet.configured)}}


async def _reload(book: Book, who: str, deadline: float | None) -> tuple[str, Reloaded | list[str]]:
    if book.fleet.is_changing:  # it was left; one that goes may have the name of one that comes
        await _carry_out(book, book.config.drain.deadline)
    try:
        changes = await _decide(book)
    except ConfigError as problem:
        lines = str(problem).splitlines()
        for line in lines:
            log("error", f"reload ({who}): {line}; nothing has changed")
        return ("refused", lines)
    seconds = book.config.drain.deadline if deadline is None else deadline
    cut_off, problems = await _carry_out(book, seconds)
    done = Reloaded(changes, tuple(book.config.upstreams), cut_off, problems)
    for line in done.lines():
        log("info", f"reload ({who}): {line}")
    return ("ok", done)


async def _decide(book: Book) -> Changes:
    """Have what is wanted now in effect; what changes by that. Raises `ConfigError`."""
    if await drain.status() is not None:
        raise ConfigError("the node drains: it will not be there for another configuration")
    wanted = await _settled(book.read)
    check_served(wanted)
    running = book.config
    changes = compare(running, wanted)
    then = effective(running, wanted)
    check_together(then)
    _check_upstreams(then.upstreams)
    book.take(then, changes.upstreams)
    return changes


def _check_upstreams(upstreams: dict[str, UpstreamConfig]) -> None:
    """Raises `ConfigError` with a line for each that cannot be what it says."""
    if not upstreams:
        return
    from erlmcp_py.gateway.settings import check_upstreams

    problems = []
    for name, one in upstreams.items():
        try:
            check_upstreams({name: one})
        except ConfigError as problem:
            problems.append(str(problem))
    if problems:
        raise ConfigError("\n".join(problems))


async def _carry_out(book: Book, deadline: float) -> tuple[dict[str, int], list[str]]:
    """Do what `book` says: requests that were cut off by it, and what could not be done."""
    set_level(book.config.log.level)
    problems = await book.fleet.settle()
    cut_off = await book.fleet.finish(deadline)
    book.is_left = False
    return cut_off, problems


async def _settled(read: Read) -> Config:
    """What two readings in a row agree on, so that a file that is being written is waited for. Raises
    `ConfigError`.
    """
    before = await _reading(read)
    for _ in range(READINGS):
        await trio.sleep(PAUSE)
        now = await _reading(read)
        if now == before:
            if isinstance(now, str):
                raise ConfigError(now)
            return now
        before = now
    raise ConfigError("the configuration is another one at each look; try again when it is written")


async def _reading(read: Read) -> Config | str:
    """The configuration, or what is wrong with it. In a thread: file systems take their time."""
    try:
        return await trio.to_thread.run_sync(read)
    except ConfigError as problem:
        return str(problem)


async def reload(who: str, deadline: float | None, patience: float) -> Reloaded:
    """Have the configuration read again, and wait until what has changed is done. deadline: seconds that
    requests have at what is removed or started anew, None: those of a drain. Raises `ConfigError` if
    nothing has been done, `CallExit`, also where no configuration can be read again.
    """
    match await call(NAME, ("reload", who, deadline), patience):
        case ("refused", lines):
            raise ConfigError("\n".join(lines))
        case (_, Reloaded() as done):
            return done
    raise AssertionError("it answers one of the two")


def soon(who: str) -> None:
    """Have it done, for somebody who reads the log."""
    cast(NAME, ("reload", who))
