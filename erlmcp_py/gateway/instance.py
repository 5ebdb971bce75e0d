"""One connection of an upstream, and with it one program: how it stands, and who waits for it.

It lies in the arguments of child specs, so it outlives every process, and every program too.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import trio
from msgspec import Raw

from erlmcp_py import __version__
from erlmcp_py.client import Client, ClientError
from erlmcp_py.client.calls import Answer
from erlmcp_py.client.where import AtUrl, ByCommand
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway.at_work import AtWork
from erlmcp_py.gateway.diagnosis import SENDS_BACK, explain
from erlmcp_py.gateway.journal import Journal
from erlmcp_py.gateway.kinds import MAX_ENTRIES, MAX_PAGES, MEMBERS, METHODS, Kind, offers
from erlmcp_py.gateway.latency import Meter
from erlmcp_py.gateway.questions import Questions
from erlmcp_py.gateway.standing import News, Standing, State, unavailable_text
from erlmcp_py.ports import Command, Exit, Port
from erlmcp_py.protocol.errors import METHOD_NOT_FOUND
from erlmcp_py.protocol.jsonrpc import ErrorResponse
from erlmcp_py.protocol.lifecycle import Implementation
from erlmcp_py.protocol.notifications import LoggingMessageParams
from erlmcp_py.telemetry.log import log
from supervisors import Backoff, current_runtime, set_label

PAUSE: Final = Backoff(first=0.02, factor=4.0, limit=60.0, jitter=0.5)
"""Before it is started again: at once the first time, which is what most crashes need."""

_page = msgspec.json.Decoder(dict[str, Raw]).decode
_entries = msgspec.json.Decoder(list[Raw]).decode
_cursor = msgspec.json.Decoder(str | None).decode


class Instance:
    """The instance `number`, from 1 on, of an upstream. label: what it is called. wall_clock: seconds
    since the epoch. failures, restarts: as in `Standing`, ends that were wanted apart. program: tells the
    program there is from all others; empty where there is a URL instead.
    """

    def __init__(
        self,
        label: str,
        number: int,
        config: UpstreamConfig,
        place: AtUrl | Command,
        meter: Meter,
        wall_clock: Callable[[], float],
    ) -> None:
        self.label = label
        self.number = number
        self.config = config
        self.questions = Questions(label, self._echoes)
        self.at_work = AtWork()
        """Requests that it has to answer; they wait no longer once it is down."""
        self.adjusted = trio.Event()
        """Set when its configuration has changed."""
        self.rests = False
        """Whether it takes no further requests, because it is about to be begun anew."""
        self.retired = trio.Event()
        """Set when it is given no requests any more: others have taken its place, or its upstream was removed."""
        self.doubt = trio.Event()
        """Set when there is reason to look at once whether it still answers."""
        self.learning = trio.Lock()
        """Held while its lists are fetched: one that has changed is fetched after all of them, not meanwhile."""
        self.hears = trio.Event()
        """Set when the ear hears of changes, or there will be none to hear of. A later ear does not know what
        was said while there was none.
        """
        self.is_early = False
        """Whether its lists were fetched before that, so that changes may have been missed."""
        self.journal = Journal(wall_clock)
        self._meter = meter
        self.failures = self.restarts = 0
        self.program = ""
        self._wall_clock = wall_clock
        self._ports: list[Port] = []
        self._seen = self._begun_at = (0, 0)
        self._recent: deque[float] = deque(maxlen=config.restarts + 1)
        self._last_up = -math.inf
        self._ready_since = 0
        """The number of the connection for which it is."""
        self._forgiving = False
        self._wanted = 0
        """Ends that somebody has ordered and that have not been noted yet."""
        self._noted = trio.Event()
        self._since = wall_clock()
        self._reason: str | None = None
        self.last_failure = ""
        """Why it was lost or could not be started last."""
        where = (
            place
            if isinstance(place, AtUrl)
            else ByCommand(place, on_stderr=self._said, on_port=self._has_port)
        )
        self.client = Client(
            where,
            timeout=config.timeout,
            info=Implementation("erlmcp-py", __version__, title="erlmcp-py gateway"),
            answerer=self.questions,
            on_log=self._logged,
            on_notification=self.questions.noticed,
            pause=PAUSE,
            followed=True,
        )

    # --- how it stands ------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether requests can be sent to it now."""
        return self.client.status().state == "up"

    @property
    def is_ready(self) -> bool:
        """Whether it is up, and what has to be known for a request is."""
        known = self._ready_since == self.connection or not isinstance(self.client.where, AtUrl)
        return known and self.is_up

    @property
    def is_down(self) -> bool:
        """Whether it has failed more often than it may, and is not up: nobody waits for it then."""
        recent = self._recent
        if self.is_up or len(recent) <= self.config.restarts:
            return False
        # Pauses grow: what fails rarely because it is rarely tried is down as well.
        return recent[-1] - recent[0] <= self.config.period or recent[0] >= self._last_up

    def standing(self) -> Standing:
        """How it stands now."""
        status = self.client.status()
        state: State = "up"
        if not self.is_up:
            failed = status.failures > self._begun_at[1] and not self._forgiving
            state = "down" if self.is_down else "restarting" if failed else "starting"
        return Standing(
            state,
            self._since,
            None if self.is_up else self._reason,
            self.failures,
            self.restarts,
            status.in_flight,
            None if self._port is None else self._port.pid,
        )

    def memory(self) -> int:
        """Bytes its processes have resident; 0 if it is no program, or has ended."""
        return 0 if self._port is None else self._port.statistics().usage.memory

    def signal(self, number: int) -> None:
        """Send a signal to all processes of its program, if it has one now."""
        if self._port is not None:
            self._port.signal_all(number)

    def unavailable_text(self) -> str:
        """Since when it is not there, and why."""
        return unavailable_text(self.label, self.standing())

    def explained(self, reason: str) -> str:
        """Why there is no answer, and what to do about it if that is known."""
        is_program = not isinstance(self.client.where, AtUrl)
        if is_program and self.connection:
            return reason  # it has worked before
        last = self.journal.last
        words = last["said"] if "began" in last and "said" in last else None
        return explain(
            reason,
            is_program=is_program,
            credentials=bool(self.config.headers) or self.config.auth is not None,
            said=words.text if words is not None and words.pid == last["began"].pid else None,
        )

    # --- for its keepers ----------------------------------------------------------------

    async def heard(self, patience: float) -> None:
        """Wait until the ear hears, for so many seconds at most, and as long as nothing happens to it."""
        if not self.hears.is_set():
            with trio.move_on_after(patience):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_first, self.changed, nursery.cancel_scope)
                    nursery.start_soon(_first, self.hears.wait, nursery.cancel_scope)
        self.is_early = not self.hears.is_set()

    @property
    def connection(self) -> int:
        """The number of its connection; the next one has another."""
        return self.client.status().connections

    def begin(self) -> None:
        """It is started, for the first time or after it was stopped in order: what was does not count."""
        self._seen = self._begun_at = self._mark()
        self.hears = trio.Event()
        self._recent.clear()
        self._since, self._reason = self._wall_clock(), None

    async def changed(self) -> None:
        """Wait until its client's status changes."""
        await self.client.changed()

    def has_news(self) -> bool:
        """Whether something has happened since `note_status` was called."""
        return self._mark() != self._seen

    def note_status(self) -> News:
        """What has happened since the last call."""
        status = self.client.status()
        before, self._seen = self._seen, self._mark()
        failures = self._seen[1] - before[1]
        wanted = min(self._wanted, failures)
        news = News(self._seen[0] > before[0], failures, wanted)
        self._wanted -= wanted
        self.failures += news.failures - wanted
        self.restarts += self._seen[0] - max(before[0], self._begun_at[0] + 1) if news.up else 0
        now = current_runtime().now()
        if self._forgiving:
            self._recent.clear()
        if news.failures:
            self._recent.extend([now] * (0 if self._forgiving else news.failures))
            if self._reason is None:
                self._since = self._wall_clock()
            self._reason = self.explained(status.failure or "it was lost")
            self.last_failure = self._reason
            self.journal.failed(": ".join(filter(None, (self._reason, status.detail))))
            if self.is_down:
                self._meter.lost += self.at_work.cut_off(self.unavailable_text())
        if news.up and self.is_up:
            self._last_up = now
            self._since, self._reason = self._wall_clock(), None
        noted, self._noted = self._noted, trio.Event()
        noted.set()
        return news

    def _mark(self) -> tuple[int, int]:
        status = self.client.status()
        return status.connections, status.failures

    def adjust(self, config: UpstreamConfig) -> None:
        """Go on with other settings; its program or connection stays as it is."""
        self.config = config
        self._recent = deque(self._recent, maxlen=config.restarts + 1)
        self.client.set_timeout(config.timeout)
        adjusted, self.adjusted = self.adjusted, trio.Event()
        adjusted.set()

    def suspect(self) -> None:
        """A request had no answer: have somebody look now, not at the next turn."""
        self.doubt.set()

    def restart(self, reason: str) -> None:
        """End its program or connection, for this reason; its supervisor makes another."""
        self.client.reconnect(reason)

    async def begin_anew(self, reason: str, grace: float) -> bool:
        """End its program or connection in order, have another at once, and wait until it is up. Failures
        before it are forgiven. False: there is nothing to end, because it does not run, or is `retired`.

        grace: seconds that requests which have begun get to end; further ones wait for the new one.
        """
        done = False
        async with trio.open_nursery() as nursery:
            # Who watches a retired one is gone: nobody would notice that it is up again.
            nursery.start_soon(_first, self.retired.wait, nursery.cancel_scope)
            done = await self._renew(reason, grace)
            nursery.cancel_scope.cancel()
        return done

    async def _renew(self, reason: str, grace: float) -> bool:
        before = self.connection
        self.rests = self._forgiving = True
        try:
            with trio.move_on_after(grace):
                await self.at_work.until_idle()
            self._wanted = int(self.is_up)
            if not await self.client.begin_anew(reason):
                return False
            self.rests = False
            while self.connection == before or not self.is_up or self.has_news():
                await self._noted.wait()
        finally:
            self.rests = self._forgiving = False
            self._wanted = 0
        return True

    async def forward(
        self, method: str, params: Mapping[str, Any], **further: Any
    ) -> tuple[Answer, str]:
        """As `Client.forward`, for a client of ours: it is counted, and how long it takes."""
        meter = self._meter
        meter.requests += 1
        began = trio.current_time()
        try:
            answer, version = await self.client.forward(method, params, **further)
        except ClientError:
            meter.lost += 1
            raise
        meter.answered(trio.current_time() - began, refused=isinstance(answer, ErrorResponse))
        return answer, version

    async def fetch(self, kind: Kind) -> list[Raw]:
        """One of its lists, whole. Raises McpError, ClientError."""
        found: list[Raw] = []
        params: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            answer, _ = await self.client.forward(METHODS[kind], params)
            if isinstance(answer, ErrorResponse):
                if kind == "templates" or answer.error.code == METHOD_NOT_FOUND:
                    return []  # many servers say that they have what they know no method for
                text = f"{METHODS[kind]}: {answer.error.message} ({answer.error.code})"
                raise ClientError(text)
            try:
                page = _page(answer.result)
                found += _entries(page.get(MEMBERS[kind], Raw(b"[]")))
                cursor = _cursor(page.get("nextCursor", Raw(b"null")))
            except ValueError as problem:
                raise ClientError(f"{METHODS[kind]}: {problem}") from None
            if cursor is None and len(found) <= MAX_ENTRIES:
                return found
            if len(found) >= MAX_ENTRIES:
                break
            params = {"cursor": cursor}
        log("warning", f"upstream {self.label}: {METHODS[kind]} has more than is kept")
        return found[:MAX_ENTRIES]

    async def learn_headers(self) -> None:
        """Learn which arguments of tools go into headers, where they do. Raises McpError, ClientError; it is
        ready all the same then, as most tools need none.
        """
        connection = self.connection
        try:
            if isinstance(self.client.where, AtUrl) and offers(self.client.hello, "tools"):
                await self.client.list_tools()
        finally:
            self._ready_since = connection

    # --- what it says -------------------------------------------------------------------

    def _echoes(self) -> None:
        if not self.is_up:
            self.client.reconnect(SENDS_BACK)

    def _said(self, line: str) -> None:
        # Each start in vain says mostly the same, and what is told of it has its last words.
        is_told = not self.is_up and self.journal.has_said(line)
        self.journal.said(line)
        log("debug" if is_told else "info", f"{self.label}: {line}")

    def _has_port(self, port: Port | None) -> None:
        """In the process of the connection: its program has begun, or ended. After the kill of a supervisor
        there may be two for a while, and the older one ends last.
        """
        where = str(self.client.where)
        if port is not None:
            self._ports.append(port)
            self.program = os.urandom(8).hex()
            self.questions.tasks.forget()
            self.journal.began(port.pid, where)
            set_label(f"connection to {self.label}, pid {port.pid}: {where}")
            return
        set_label(f"connection to {where}")
        for ended in [each for each in self._ports if each.has_ended]:
            self._ports.remove(ended)
            self.journal.ended(ended.pid, str(ended.exit or Exit()))

    @property
    def _port(self) -> Port | None:
        """The last one that was opened, while it is there."""
        return self._ports[-1] if self._ports else None

    def _logged(self, params: LoggingMessageParams) -> None:
        self.questions.logged(params)


async def _first(wait: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await wait()
    scope.cancel()


def where_of(place: AtUrl | Command) -> AtUrl | ByCommand:
    """The place as people are told."""
    return place if isinstance(place, AtUrl) else ByCommand(place)
