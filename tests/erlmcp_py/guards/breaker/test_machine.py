"""When a breaker opens, is tried, and closes, moment by moment and against a plain model."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from erlmcp_py.guards.breaker import Breaker, BreakerSettings

SETTINGS = BreakerSettings()


def fail(breaker: Breaker, now: float = 0.0, times: int = 1, generation: int = 1) -> None:
    for _ in range(times):
        breaker.failed(breaker.epoch, now, "no answer", generation, None)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker("x", SETTINGS)
    fail(breaker, now, 5)
    assert breaker.state == "open"
    return breaker


def test_five_failures_in_a_row_open_it_and_it_says_why() -> None:
    breaker = Breaker("x", SETTINGS)
    fail(breaker, times=4)
    assert breaker.state == "closed"
    fail(breaker, now=7.0)
    assert breaker.state == "open"
    assert breaker.refusal(17.0) == (
        "the breaker of 'x' is open: 5 failures in a row, the last one: no answer; "
        "it is tried again in 50 s"
    )
    assert breaker.changes == {"closed": 0, "open": 1, "half_open": 0}


def test_a_success_between_begins_the_row_anew_but_half_of_the_last_ten_open_it_all_the_same() -> (
    None
):
    breaker = Breaker("x", SETTINGS)
    for _ in range(4):
        fail(breaker)
        breaker.succeeded(breaker.epoch, 0.0)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    assert breaker.why == "5 of the last 10 requests failed, the last one: no answer"


def test_old_failures_leave_the_window() -> None:
    breaker = Breaker("x", SETTINGS)
    for _ in range(20):
        fail(breaker)
        for _ in range(9):
            breaker.succeeded(breaker.epoch, 0.0)
    assert breaker.state == "closed"


def test_what_is_lost_with_one_connection_is_one_failure() -> None:
    breaker = Breaker("x", SETTINGS)
    for crash in range(4):
        for _ in range(10):
            breaker.failed(breaker.epoch, 0.0, "lost", 1, crash)
    assert breaker.state == "closed"
    breaker.failed(breaker.epoch, 0.0, "lost", 1, 4)
    assert breaker.state == "open"


def test_after_the_timeout_two_probes_are_let_through_and_close_it() -> None:
    breaker = opened()
    breaker.tick(59.9)
    assert not breaker.probe(59.9, 1)
    breaker.tick(60.0)
    assert breaker.state == "half_open"
    assert [breaker.probe(60.0, 1) for _ in range(3)] == [True, True, False]
    assert "it is being tried just now" in breaker.refusal(60.0)
    breaker.succeeded(breaker.epoch, 61.0)
    assert not breaker.probe(61.0, 1)  # one success and one under way are enough
    breaker.succeeded(breaker.epoch, 61.0)
    assert breaker.state == "closed"
    assert breaker.clean


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    breaker = opened()
    assert breaker.probe(60.0, 1)
    fail(breaker, 61.0)
    assert breaker.state == "open"
    assert breaker.why == "the probe failed: no answer"
    assert not breaker.probe(120.9, 1)
    assert breaker.probe(121.0, 1)


def test_the_place_of_a_probe_that_ends_without_a_word_is_free_again() -> None:
    breaker = opened()
    assert breaker.probe(60.0, 1)
    assert breaker.probe(60.0, 1)
    breaker.gone(breaker.epoch)
    assert breaker.probe(60.0, 1)
    assert not breaker.probe(60.0, 1)


def test_probes_that_never_end_keep_nobody_out_for_longer_than_the_timeout() -> None:
    breaker = opened()
    assert breaker.probe(60.0, 1)
    assert breaker.probe(60.0, 1)
    late = breaker.epoch
    assert not breaker.probe(119.0, 1)
    assert breaker.probe(120.0, 1)
    breaker.succeeded(late, 120.0)  # of the epoch before: it proves nothing now
    breaker.gone(late)
    assert breaker.probe(120.0, 1)
    assert not breaker.probe(120.0, 1)


def test_what_was_started_anew_is_tried_at_once_and_once() -> None:
    breaker = opened()
    assert not breaker.probe(1.0, 1)
    assert breaker.probe(1.0, 2)
    fail(breaker, 2.0, generation=2)
    assert not breaker.probe(3.0, 2)


def test_the_end_of_a_request_from_before_counts_no_more() -> None:
    breaker = Breaker("x", SETTINGS)
    early = breaker.epoch
    fail(breaker, times=5)
    assert breaker.probe(60.0, 1)
    breaker.succeeded(early, 60.0)
    breaker.failed(early, 60.0, "late", 1, None)
    assert breaker.state == "half_open"


def test_an_operators_word_holds_until_the_next_one() -> None:
    breaker = Breaker("x", SETTINGS)
    breaker.open_by_hand(0.0, "maintenance")
    assert not breaker.probe(1e9, 99)
    breaker.reset(1e9)
    assert breaker.state == "open"
    assert breaker.held
    assert breaker.refusal(1e9) == (
        "the breaker of 'x' is open: maintenance; until an operator closes it"
    )
    breaker.close_by_hand(1e9)
    assert (breaker.state, breaker.held, breaker.clean) == ("closed", False, True)


def test_a_reset_forgets_and_tries_at_once() -> None:
    breaker = opened()
    breaker.refused = 7
    breaker.reset(1.0)
    assert breaker.state == "half_open"
    assert (breaker.refused, breaker.changes["open"]) == (0, 0)
    closed = Breaker("x", SETTINGS)
    fail(closed, times=4)
    closed.reset(1.0)
    fail(closed, times=4)
    assert closed.state == "closed"


def test_one_that_is_off_opens_by_an_operators_word_alone() -> None:
    breaker = Breaker("x", None)
    fail(breaker, times=100)
    assert breaker.clean
    breaker.open_by_hand(0.0, "maintenance")
    assert not breaker.probe(1.0, 1)
    breaker.close_by_hand(1.0)
    assert breaker.probe(1.0, 1)


def test_other_numbers_count_from_now_on() -> None:
    breaker = Breaker("x", SETTINGS)
    fail(breaker, times=4)
    breaker.configure(BreakerSettings(failure_threshold=2), 0.0)
    fail(breaker)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    breaker.configure(None, 1.0)
    assert breaker.state == "closed"
    held = Breaker("x", SETTINGS)
    held.open_by_hand(0.0, "maintenance")
    held.configure(None, 1.0)
    assert held.state == "open"


def test_a_new_process_gives_the_places_of_unknown_probes_to_others() -> None:
    breaker = opened()
    assert breaker.probe(60.0, 1)
    assert breaker.probe(60.0, 1)
    breaker.recover(61.0)
    assert breaker.probe(61.0, 1)
    untouched = opened()
    untouched.recover(1.0)
    assert untouched.due == 60.0


numbers = st.builds(
    BreakerSettings,
    failure_threshold=st.integers(1, 6),
    success_threshold=st.integers(1, 3),
    window=st.integers(1, 12),
    failure_rate=st.floats(0.05, 1.0),
)


@given(numbers, st.lists(st.booleans(), max_size=60))
def test_it_opens_exactly_when_a_plain_count_says_so(
    settings: BreakerSettings, outcomes: list[bool]
) -> None:
    breaker, seen = Breaker("x", settings), [True] * settings.window
    for succeeds in outcomes:
        seen.append(succeeds)
        if succeeds:
            breaker.succeeded(breaker.epoch, 0.0)
        else:
            fail(breaker)
        row = next((n for n, each in enumerate(reversed(seen)) if each), len(seen))
        share = seen[-settings.window :].count(False) / settings.window
        expected = row >= settings.failure_threshold or share >= settings.failure_rate
        assert (breaker.state == "open") == expected
        if expected:
            return


@given(numbers, st.lists(st.booleans(), max_size=60))
def test_successes_that_a_clean_one_is_not_told_of_make_no_difference(
    settings: BreakerSettings, outcomes: list[bool]
) -> None:
    told, spared = Breaker("x", settings), Breaker("x", settings)
    for succeeds in outcomes:
        if succeeds:
            told.succeeded(told.epoch, 0.0)
            if not spared.clean:
                spared.succeeded(spared.epoch, 0.0)
        else:
            fail(told)
            fail(spared)
        assert told.status(0.0) == spared.status(0.0)


class Life(RuleBasedStateMachine):
    """Anything may happen to a breaker, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.generation = 0.0, 1
        self.breaker = Breaker("x", SETTINGS)
        self.out: list[int] = []  # epochs of requests under way
        self.held = False

    @rule(wait=st.sampled_from([0.1, 10.0, 59.9, 60.0, 600.0]), ticks=st.booleans())
    def passes(self, wait: float, ticks: bool) -> None:
        self.now += wait
        if ticks:
            self.breaker.tick(self.now)

    @rule()
    def restarts(self) -> None:
        self.generation += 1

    @rule()
    def asks(self) -> None:
        let_in = self.breaker.state == "closed" or self.breaker.probe(self.now, self.generation)
        if let_in:
            self.out.append(self.breaker.epoch)
        assert let_in or self.breaker.state != "closed"
        assert not (self.held and let_in)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), end=st.sampled_from(["succeeded", "failed", "lost", "gone"]))
    def ends(self, data: Any, end: str) -> None:
        epoch = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if end == "succeeded":
            self.breaker.succeeded(epoch, self.now)
        elif end == "gone":
            self.breaker.gone(epoch)
        else:
            losses = self.breaker.losses if end == "lost" else None
            self.breaker.failed(epoch, self.now, end, self.generation, losses)

    @rule(what=st.sampled_from(["open", "close", "reset", "recover", "off", "on"]))
    def told(self, what: str) -> None:
        match what:
            case "open":
                self.breaker.open_by_hand(self.now, "because")
                self.held = True
            case "close":
                self.breaker.close_by_hand(self.now)
                self.held = False
            case "reset":
                self.breaker.reset(self.now)
            case "recover":
                self.breaker.recover(self.now)
            case _:
                self.breaker.configure(SETTINGS if what == "on" else None, self.now)

    @invariant()
    def few_probes_are_under_way(self) -> None:
        if self.breaker.state == "half_open":
            assert self.out.count(self.breaker.epoch) <= SETTINGS.success_threshold

    @invariant()
    def only_operators_end_what_an_operator_began(self) -> None:
        assert self.breaker.held == self.held
        assert not self.held or self.breaker.state == "open"

    @invariant()
    def it_is_never_stuck(self) -> None:
        waits = self.breaker.state != "closed" and not self.held
        assert (self.breaker.due is not None) == waits
        status = self.breaker.status(self.now)
        assert 0 <= status.failures <= status.window
        assert status.in_a_row <= status.failures
        assert status.seconds >= 0


TestLife = Life.TestCase
