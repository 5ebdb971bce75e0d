"""What leaves when: the pure part of the proxy, played in a time of its own."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.proxy import (
    Bandwidth,
    Corruption,
    HalfOpen,
    Latency,
    LimitData,
    Loss,
    Reset,
    Slicer,
    SlowClose,
    Toxic,
)
from chaos.proxy.flow import HELD_MOST, PACKET, Ending, Flow

CLOSE_TO = 1e-6


@dataclass
class Played:
    """What left. pieces: (when, bytes)."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    ending: Ending | None = None
    ended_at: float | None = None

    @property
    def data(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)


Event = tuple[float, Any]
"""When, and what: bytes come, an Ending comes, or toxics by name are set."""


def play(flow: Flow, events: list[Event], until: float = math.inf) -> Played:
    """Let time run from event to due time, taking all that is due."""
    played = Played()
    waiting = sorted(events, key=lambda event: event[0])
    now = 0.0
    while True:
        at = min(flow.due(now), waiting[0][0] if waiting else math.inf)
        if at == math.inf or at > until:
            return played
        now = max(now, at)
        while waiting and waiting[0][0] <= now:
            match waiting.pop(0)[1]:
                case bytes(data):
                    flow.feed(now, data)
                case Ending() as ending:
                    flow.finish(now, ending)
                case toxics:
                    flow.set_toxics(toxics)
        while (what := flow.take(now)) is not None:
            if isinstance(what, bytes):
                assert what
                played.pieces.append((now, what))
            else:
                assert played.ending is None, "ended twice"
                played.ending, played.ended_at = what, now
                if what is not Ending.FINISH:
                    return played


def named(*toxics: Toxic) -> dict[str, Toxic]:
    return {f"{number}": each for number, each in enumerate(toxics)}


def poisoned(*toxics: Toxic, seed: str = "seed") -> Flow:
    flow = Flow(seed)
    flow.set_toxics(named(*toxics))
    return flow


moments = st.integers(0, 400).map(lambda tick: tick / 8)
seeds = st.integers(0, 2**32).map(str)
delays = st.sampled_from([0.0, 0.01, 0.2, 1.5, 60.0])
chunks = st.lists(st.tuples(moments, st.binary(min_size=1, max_size=60)), max_size=12)
gentle = st.one_of(
    st.builds(Latency, delay=delays, jitter=delays),
    st.builds(Bandwidth, rate=st.integers(1, 5000)),
    st.builds(Loss, share=st.floats(0, 1), delay=delays),
    st.builds(Slicer, size=st.integers(1, 50), variation=st.integers(0, 50), delay=delays),
    st.builds(SlowClose, delay=delays),
)
silent = st.builds(HalfOpen, after=st.integers(0, 100))
toxics = st.one_of(
    gentle,
    silent,
    st.builds(Reset, after=st.integers(0, 300), spread=st.integers(0, 300)),
    st.builds(LimitData, after=st.integers(0, 300)),
    st.builds(Corruption, share=st.floats(0, 1)),
)
changes = st.lists(st.tuples(moments, st.lists(st.one_of(gentle, silent), max_size=4)), max_size=4)


def sent(events: list[Event]) -> bytes:
    return b"".join(data for _, data in sorted(events, key=lambda event: event[0]))


@given(seeds, chunks, changes)
def test_what_only_slows_down_loses_nothing_however_it_is_changed(
    seed: str, events: list[Event], changed: Any
) -> None:
    finished: Event = (50.0, Ending.FINISH)
    healed: Event = (500.0, {})
    sets = [(at, named(*some)) for at, some in changed]

    played = play(Flow(seed), [*events, *sets, finished, healed])

    assert played.data == sent(events)
    assert played.ending is Ending.FINISH
    assert played.ended_at is not None and played.ended_at >= 50.0


@given(seeds, chunks, changes, st.lists(toxics, max_size=4))
def test_a_seed_takes_one_course(
    seed: str, events: list[Event], changed: Any, first: list[Toxic]
) -> None:
    sets = [(at, named(*some)) for at, some in changed]

    once, again = (play(poisoned(*first, seed=seed), [*events, *sets]) for _ in range(2))

    assert once == again


@given(seeds, chunks, delays, delays)
def test_latency_and_jitter(seed: str, events: list[Event], delay: float, jitter: float) -> None:
    played = play(poisoned(Latency(delay=delay, jitter=jitter), seed=seed), events)

    assert played.data == sent(events)
    latest = 0.0
    for (came, data), (left, piece) in zip(
        sorted(events, key=lambda event: event[0]), played.pieces, strict=True
    ):
        assert piece == data
        latest = max(latest, came + delay + jitter)
        assert came + max(0.0, delay - jitter) - CLOSE_TO <= left <= latest + CLOSE_TO


@given(seeds, chunks, st.integers(1, 500))
def test_bandwidth(seed: str, events: list[Event], rate: int) -> None:
    played = play(poisoned(Bandwidth(rate=rate), seed=seed), events)

    assert played.data == sent(events)
    quantum = max(1, rate * 0.05)
    for first, (start, _) in enumerate(played.pieces):
        total = 0
        for left, piece in played.pieces[first:]:
            total += len(piece)
            assert total <= quantum + rate * (left - start) + CLOSE_TO


@given(seeds, st.binary(min_size=1, max_size=400), st.integers(1, 60), st.integers(0, 60))
def test_slices(seed: str, data: bytes, size: int, variation: int) -> None:
    slicer = Slicer(size=size, variation=variation, delay=0.5)
    played = play(poisoned(slicer, seed=seed), [(1.0, data)])

    assert played.data == data
    sizes = [len(piece) for _, piece in played.pieces]
    assert max(sizes) <= size + variation
    assert all(each >= max(1, size - variation) for each in sizes[:-1])
    assert [left for left, _ in played.pieces] == [1.0 + 0.5 * n for n in range(len(sizes))]


def test_single_bytes() -> None:
    played = play(poisoned(Slicer()), [(0.0, bytes(range(200)))])

    assert [piece for _, piece in played.pieces] == [bytes([n]) for n in range(200)]


@given(seeds, st.integers(1, 20), st.floats(0.01, 5))
def test_what_is_lost_is_sent_again_later_and_twice_as_late_each_time(
    seed: str, packets: int, delay: float
) -> None:
    data = bytes(PACKET * packets)
    played = play(poisoned(Loss(share=0.5, delay=delay), seed=seed), [(0.0, data)])

    assert played.data == data
    before, stalled = 0.0, 0
    for left, piece in played.pieces:
        assert len(piece) == PACKET
        times = math.log2((left - before) / delay + 1)
        assert times == pytest.approx(round(times), abs=1e-3)
        stalled += round(times) > 0
        before = left


def test_loss_is_counted_and_has_its_share() -> None:
    flow = poisoned(Loss(share=0.2, delay=0.001))
    for number in range(40):
        flow.feed(float(number), bytes(PACKET * 10))
        while flow.due(number) < math.inf:
            flow.take(flow.due(number))

    assert 40 < flow.stalled < 120
    assert flow.passed == PACKET * 400


@given(seeds, chunks, st.integers(0, 300), st.integers(0, 300))
def test_reset_after_so_many_bytes(seed: str, events: list[Event], after: int, spread: int) -> None:
    played = play(poisoned(Reset(after=after, spread=spread), seed=seed), events)

    data = sent(events)
    assert data.startswith(played.data)
    if played.ending is None:
        assert played.data == data and len(data) <= after + spread
    else:
        assert played.ending is Ending.RESET
        assert after <= len(played.data) <= after + spread


def test_resets_fall_everywhere() -> None:
    where = {
        len(play(poisoned(Reset(spread=3), seed=str(seed)), [(0.0, b"abcdef")]).data)
        for seed in range(50)
    }
    assert where == {0, 1, 2, 3}


@given(seeds, chunks, st.integers(0, 300))
def test_limit_data(seed: str, events: list[Event], after: int) -> None:
    played = play(poisoned(LimitData(after=after), seed=seed), events)

    assert played.data == sent(events)[:after]
    assert (played.ending is Ending.CLOSE) == (len(sent(events)) >= after)


@given(seeds, chunks, st.integers(0, 300))
def test_half_open_is_silent_to_the_end_and_heals(
    seed: str, events: list[Event], after: int
) -> None:
    flow = poisoned(HalfOpen(after=after), seed=seed)

    played = play(flow, [*events, (60.0, Ending.FINISH)])

    data = sent(events)
    assert played.data == data[:after]
    assert played.ending is (Ending.FINISH if len(data) < after else None)
    assert flow.withheld == (len(data) >= after)
    if played.ending is None:
        rest = play(flow, [(1000.0, {})])
        assert played.data + rest.data == data
        assert rest.ending is Ending.FINISH


@given(seeds, st.binary(min_size=1, max_size=2000))
def test_every_byte_corrupted(seed: str, data: bytes) -> None:
    flow = poisoned(Corruption(share=1.0), seed=seed)
    played = play(flow, [(0.0, data)])

    assert len(played.data) == len(data)
    assert all(was != now for was, now in zip(data, played.data, strict=True))
    assert flow.corrupted == len(data)


@pytest.mark.parametrize("share", [0.0, 1e-300, 0.001, 0.05, 0.5])
def test_share_of_corrupted_bytes(share: float) -> None:
    data = random.Random(1).randbytes(60_000)
    flow = poisoned(Corruption(share=share), seed="7")
    played = play(flow, [(0.0, data)])

    wrong = sum(was != now for was, now in zip(data, played.data, strict=True))
    assert wrong == flow.corrupted
    slack = 5 * math.sqrt(60_000 * share)
    assert 60_000 * share - slack <= wrong <= 60_000 * share + slack


def test_slow_close_delays_the_end_and_nothing_else() -> None:
    played = play(poisoned(SlowClose(delay=3.0)), [(1.0, b"a"), (2.0, Ending.FINISH)])

    assert played.pieces == [(1.0, b"a")]
    assert (played.ended_at, played.ending) == (5.0, Ending.FINISH)


def test_a_sender_that_is_gone_takes_the_place_of_a_slow_end() -> None:
    flow = poisoned(SlowClose(delay=3.0))
    events = [(2.0, Ending.FINISH), (3.0, Ending.RESET)]

    played = play(flow, events)

    assert played.ending is Ending.RESET


def test_what_a_removed_latency_held_leaves_at_once() -> None:
    events: list[Event] = [(1.0, b"held"), (2.0, {})]

    played = play(poisoned(Latency(delay=3600.0)), events)

    assert played.pieces == [(2.0, b"held")]


def test_bytes_count_from_when_a_toxic_was_set_and_go_on_counting_beside_others() -> None:
    limit = {"limit": LimitData(after=4)}
    events: list[Event] = [
        (1.0, b"before"),
        (2.0, limit),
        (3.0, b"123"),
        (4.0, {**limit, "slow": Latency(delay=0.5)}),
        (5.0, b"456"),
    ]

    played = play(Flow("seed"), events)

    assert played.data == b"before1234"
    assert played.ending is Ending.CLOSE


def test_delays_add_up() -> None:
    both = poisoned(Latency(delay=1.0), Latency(delay=0.5), Bandwidth(rate=1000))

    played = play(both, [(0.0, bytes(100))])

    assert [round(left, 3) for left, _ in played.pieces] == [1.55, 1.6]


def test_a_full_flow_asks_for_no_more() -> None:
    flow = poisoned(HalfOpen())
    flow.feed(0.0, bytes(HELD_MOST - 1))
    assert flow.room
    flow.feed(0.0, b"x")
    assert not flow.room

    dribbled = poisoned(HalfOpen())
    for _ in range(2000):
        if dribbled.room:
            dribbled.feed(0.0, b"x")
    assert dribbled.held < 2000
