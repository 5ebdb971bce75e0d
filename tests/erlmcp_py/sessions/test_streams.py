"""Events that are kept: by stream, in order, within bounds."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import supervisors
from erlmcp_py.sessions.streams import MAX_BYTES, MAX_STREAMS, EventStream, EventStreams
from supervisors.testing import wait_all_blocked


def test_what_followed_an_event_on_its_stream_and_nothing_else() -> None:
    streams = EventStreams()
    one, two = streams.open(), streams.open()
    ids = [streams.append(one, b"a"), streams.append(two, b"x"), streams.append(one, b"b")]
    assert len(set(ids)) == 3
    resumed = streams.resume(ids[0])
    assert resumed is not None
    stream, position = resumed
    assert stream is one
    assert [data for _, data in stream.after(position)] == [b"b"]
    assert streams.resume(one.id_of(0)) == (one, 0)


def test_ids_that_mean_nothing_here() -> None:
    streams = EventStreams()
    stream = streams.open()
    streams.append(stream, b"a")
    for id in ("", "1", "-", "1-", "-1", "2-1", "1-2", "x-1", "1-x", "1-1-1", "1--1", "١-١x"):
        assert streams.resume(id) is None, id


async def test_a_reader_is_told_once_until_it_looks() -> None:
    heard: list[object] = []

    async def read() -> None:
        while True:
            heard.append(await supervisors.receive())

    async with supervisors.Runtime():
        streams = EventStreams()
        stream = streams.open()
        stream.read_by(supervisors.spawn(read))
        for _ in range(3):
            streams.append(stream, b"a")
        await wait_all_blocked()
        assert heard == [("more", stream)]
        assert len(stream.after(0)) == 3
        streams.append(stream, b"b")
        streams.end(stream)
        await wait_all_blocked()
        assert heard == [("more", stream)] * 2
        assert stream.ended


class Model(RuleBasedStateMachine):
    """Against lists of everything ever appended."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = EventStreams()
        self.all: dict[int, list[bytes]] = defaultdict(list)
        self.known: list[EventStream] = []

    @rule()
    def open(self) -> None:
        self.known.append(self.streams.open())

    @precondition(lambda self: self.known)
    @rule(data=st.data(), size=st.sampled_from([1, 100, MAX_BYTES // 3, MAX_BYTES + 1]))
    def append(self, data: st.DataObject, size: int) -> None:
        stream = data.draw(st.sampled_from(self.known))
        if self.streams.resume(stream.id_of(0)) is None:
            return  # it was let go
        event = b"%d" % len(self.all[stream.number]) * 1
        event = event.ljust(size, b".")
        self.all[stream.number].append(event)
        self.streams.append(stream, event)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.streams.end(data.draw(st.sampled_from(self.known)))

    @invariant()
    def what_is_kept_is_the_end_of_what_was_appended(self) -> None:
        total = 0
        for stream in self.known:
            if self.streams.resume(stream.id_of(0)) is None:
                continue
            kept = [data for _, data in stream.after(0)]
            everything = self.all[stream.number]
            assert kept == everything[len(everything) - len(kept) :]
            total += sum(map(len, kept))
        assert total <= MAX_BYTES
        assert len(self.streams) <= MAX_STREAMS


TestModel = Model.TestCase
