"""Reading server-sent events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.client.http.events import Event, EventParser, TooLarge

STREAM = (
    "\ufeff: a comment\n"
    "id: 1\nretry: 500\ndata\n\n"
    "event: endpoint\r\ndata: /there\r\n\r\n"
    "data:one\rdata: two\r\r"
    "retry: soon\nid: a\0b\ndata: ü\n\n"
    "event: nothing\n\n"
    "data: unfinished\n"
).encode()
EVENTS = [
    Event(b"", id="1", retry=500),
    Event(b"/there", name="endpoint"),
    Event(b"one\ntwo"),
    Event("ü".encode()),
]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_however_it_was_cut(cuts: list[int]) -> None:
    parser, found = EventParser(), []
    places = sorted(set(cuts))
    for start, end in zip([0, *places], [*places, len(STREAM)], strict=True):
        found += parser.feed(STREAM[start:end])
    assert found == EVENTS


def test_byte_by_byte() -> None:
    parser = EventParser()
    found = [event for byte in STREAM for event in parser.feed(bytes([byte]))]
    assert found == EVENTS


@pytest.mark.parametrize("data", [b"data: " + 100 * b"x", 30 * b"data: 1\n"])
def test_an_event_has_a_limit(data: bytes) -> None:
    with pytest.raises(TooLarge, match="longer than 100 bytes"):
        EventParser(limit=100).feed(data)


def test_many_small_events_are_no_large_one() -> None:
    assert len(EventParser(limit=100).feed(100 * b"data: 1\n\n")) == 100
