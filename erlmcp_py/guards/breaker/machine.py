"""When something that fails is left alone, and when it is tried again. Pure.

::

    closed --failures in a row, or too large a share of the last ones--> open
       ^                                                                  |
       |                                              timeout, or it was started anew
       +--successes-- half_open <-----------------------------------------+
                          +--a failure--> open

In `half_open` no more probes are under way than successes are missing. An operator's `open` is *held*: only
an operator ends it. What was counted belongs to an epoch, which ends with every change of state, so that
the late end of an old request says nothing about now.

WHY the window begins full of successes: then one more success in a closed breaker without recent
failures changes nothing, and callers may keep it to themselves (`clean`).

WHY losses count once: whatever is under way when a connection breaks is lost with it, and ten
requests lost at one moment are one failure, not ten in a row.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

State = Literal["closed", "open", "half_open"]
STATES: tuple[State, ...] = ("closed", "open", "half_open")


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """failure_threshold: failures in a row that open it; failure_rate: share of the last `window` requests
    that do. timeout: seconds until it is tried again. success_threshold: successes that then close it.
    """

    failure_threshold: int = 5
    success_threshold: int = 2
    timeout: float = 60.0
    window: int = 10
    failure_rate: float = 0.5


class BreakerStatus(msgspec.Struct, frozen=True):
    """For people. held: by an operator. why: it is not closed. seconds: that it has been so. retry_in:
    seconds until it is tried, None: not by itself. failures: of the last `window` requests. in_a_row: the
    last ones that failed. refused: requests, in all. changes: how often it came into each state.
    """

    name: str
    state: State
    held: bool
    why: str
    seconds: float
    retry_in: float | None
    failures: int
    window: int
    in_a_row: int
    refused: int
    changes: dict[State, int]
    off: bool


class Breaker:
    """Plain data that outlives the process that works with it. Times are seconds on one clock.

    settings: None: it never opens by itself. Everything here is read by those who make requests, and
    changed by its process alone; only `refused` is counted by whoever is refused.
    """

    def __init__(self, name: str, settings: BreakerSettings | None) -> None:
        self.name = name
        self.settings = self.wanted = settings
        """In effect; and as the configuration has them, which its process makes them."""
        self.state: State = "closed"
        self.held = False
        self.why = ""
        self.epoch = 0
        self.losses = 0
        """Losses that were counted; see `failed`."""
        self.generation = 0
        """Of what is guarded, when it failed last."""
        self.refused = 0
        self.changes: dict[State, int] = dict.fromkeys(STATES, 0)
        self.due: float | None = None
        """When `tick` has something to do."""
        self._since: float | None = None
        self._row = self._probes = self._successes = 0
        self._failures = 0
        self._recent: deque[bool] = deque()
        self._forget()

    @property
    def clean(self) -> bool:
        """Whether one more success would change nothing."""
        return self.state == "closed" and not self._failures

    # --- what happens to requests -------------------------------------------------------

    def probe(self, now: float, generation: int) -> bool:
        """Somebody wants to send a request while it is not closed: may it be sent, as a probe?

        generation: of what is guarded. Another one than that which failed was started since, and is tried
        at once.
        """
        self.tick(now)
        if self.state == "open" and not self.held and generation != self.generation:
            self._half_open(now, "it was started anew")
        if self.state == "closed":
            return True
        if (
            self.state == "half_open"
            and self._probes + self._successes < self._set.success_threshold
        ):
            self._probes += 1
            return True
        return False

    def succeeded(self, epoch: int, now: float) -> None:
        """A request that was let through in this epoch had an answer."""
        if epoch != self.epoch:
            return
        if self.state == "closed":
            self._row = 0
            self._note(failed=False)
        elif self.state == "half_open":
            self._probes -= 1
            self._successes += 1
            if self._successes >= self._set.success_threshold:
                self._close(now)

    def failed(self, epoch: int, now: float, why: str, generation: int, losses: int | None) -> None:
        """It had none. losses: what `losses` was when it was sent, if its connection was lost; else None."""
        if epoch != self.epoch or self.settings is None:
            return
        if self.state == "half_open":
            self._open(now, f"the probe failed: {why}", generation)
        elif self.state == "closed":
            if losses is not None:
                if losses != self.losses:
                    return
                self.losses += 1
            self._row += 1
            self._note(failed=True)
            settings, failures = self.settings, self._failures
            if self._row >= settings.failure_threshold:
                self._open(now, f"{self._row} failures in a row, the last one: {why}", generation)
            elif failures / settings.window >= settings.failure_rate:
                text = (
                    f"{failures} of the last {settings.window} requests failed, the last one: {why}"
                )
                self._open(now, text, generation)

    def gone(self, epoch: int) -> None:
        """A probe ended without saying how."""
        if epoch == self.epoch and self.state == "half_open":
            self._probes -= 1

    def tick(self, now: float) -> None:
        """Time has passed. A half-open breaker whose probes do not end gives their places to others."""
        if self.due is None or now < self.due:
            return
        if self.state == "open":
            self._half_open(now, "it has been left alone long enough")
        else:
            self._half_open(now, self.why, again=True)

    def recover(self, now: float) -> None:
        """Its process is a new one, which does not know whose probes are under way: others may."""
        if self._since is None:
            self._since = now
        if self.state == "half_open":
            self._half_open(now, self.why, again=True)

    # --- what operators do --------------------------------------------------------------

    def open_by_hand(self, now: float, why: str) -> None:
        """Let nobody through until it is closed by hand."""
        self._enter("open", now, why)
        self.held, self.due = True, None

    def close_by_hand(self, now: float) -> None:
        """Let everybody through; what was counted is forgotten."""
        self._close(now)

    def reset(self, now: float) -> None:
        """Forget what was counted, in all, and try it at once if it is open; one that is held stays so."""
        self.refused = 0
        self.changes = dict.fromkeys(STATES, 0)
        if self.state == "closed":
            self._forget()
        elif not self.held:
            self._half_open(now, "it was reset", again=self.state == "half_open")

    def configure(self, settings: BreakerSettings | None, now: float) -> None:
        """From now on with these numbers. An open one stays open as long as it was going to be."""
        if settings == self.settings:
            return
        self.settings = settings
        if self.state == "closed":
            self._forget()
        elif settings is None and not self.held:
            self._close(now)

    # --- looks --------------------------------------------------------------------------

    def status(self, now: float) -> BreakerStatus:
        """How it stands."""
        return BreakerStatus(
            self.name,
            self.state,
            self.held,
            self.why,
            0.0 if self._since is None else now - self._since,
            self._retry_in(now),
            self._failures,
            len(self._recent),
            self._row,
            self.refused,
            dict(self.changes),
            self.settings is None,
        )

    def refusal(self, now: float) -> str:
        """What somebody is told who is not let through."""
        if self.state == "half_open":
            return f"the breaker of {self.name!r} is half open ({self.why}): it is being tried just now"
        wait = self._retry_in(now)
        until = (
            "until an operator closes it" if wait is None else f"it is tried again in {wait:.0f} s"
        )
        return f"the breaker of {self.name!r} is open: {self.why}; {until}"

    def _retry_in(self, now: float) -> float | None:
        if self.state != "open" or self.due is None:
            return None
        return max(0.0, self.due - now)

    # --- changes ------------------------------------------------------------------------

    def _open(self, now: float, why: str, generation: int) -> None:
        self.generation = generation
        self._enter("open", now, why)
        self.due = now + self._set.timeout

    def _half_open(self, now: float, why: str, *, again: bool = False) -> None:
        self._enter("half_open", now, why, again=again)
        self.due = now + self._set.timeout

    def _close(self, now: float) -> None:
        self._enter("closed", now, "")
        self.due = None

    def _enter(self, state: State, now: float, why: str, *, again: bool = False) -> None:
        self.epoch += 1
        self.held = False
        self.state, self.why = state, why
        if not again:
            self._since = now
            self.changes[state] += 1
        self._forget()

    def _forget(self) -> None:
        self._row = self._failures = self._probes = self._successes = 0
        window = 1 if self.settings is None else self.settings.window
        self._recent = deque([False] * window, maxlen=window)

    def _note(self, *, failed: bool) -> None:
        self._failures += failed - self._recent[0]
        self._recent.append(failed)

    @property
    def _set(self) -> BreakerSettings:
        assert self.settings is not None, "without settings only operators open it"
        return self.settings
