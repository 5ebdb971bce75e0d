"""Messages are the same however the bytes were cut."""

from __future__ import annotations

import itertools
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.transports.framing import Lengths, Lines, Message, TooLong, misread

LIMIT = 8


def assemble(stream: bytes, cuts: list[int]) -> list[Message]:
    framing = Lengths(LIMIT)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    messages: list[Message] = []
    for start, end in itertools.pairwise(edges):
        messages += framing.feed(stream[start:end])
    return messages + framing.finish()


@given(
    st.lists(st.binary(max_size=2 * LIMIT), max_size=12),
    st.binary(max_size=3),
    st.lists(st.integers(1, 200), max_size=30),
)
def test_any_fragmentation_gives_the_same_messages(
    messages: list[bytes], rest: bytes, cuts: list[int]
) -> None:
    stream = b"".join(map(Lengths.wrap, messages)) + rest
    assert assemble(stream, cuts) == [
        message if len(message) <= LIMIT else TooLong(LIMIT) for message in messages
    ]


@given(st.binary(max_size=60), st.lists(st.integers(1, 60), max_size=20))
def test_any_bytes_are_read_in_one_way_only(stream: bytes, cuts: list[int]) -> None:
    assert assemble(stream, cuts) == assemble(stream, [])


def test_a_message_that_is_cut_off_is_none() -> None:
    assert assemble(Lengths.wrap(b"12345678")[:-1], []) == []


def test_a_long_message_is_reported_at_once_and_its_bytes_are_not_kept() -> None:
    framing = Lengths(LIMIT)
    size = 64 * 1024 * 1024
    assert framing.feed(size.to_bytes(4, "big")) == [TooLong(LIMIT)]
    chunk = bytes(1024 * 1024)
    tracemalloc.start()
    for _ in range(64):
        assert framing.feed(chunk) == []
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10_000
    assert framing.feed(Lengths.wrap(b"next")) == [b"next"]


def test_the_other_framing_is_recognised() -> None:
    message = b'{"jsonrpc": "2.0"}'
    assert misread("newline", Lines.wrap(message)) is None
    assert misread("length", Lengths.wrap(message)) is None
    assert "length before it" in str(misread("newline", Lengths.wrap(message)))
    assert "looks like text" in str(misread("length", Lines.wrap(message)))
