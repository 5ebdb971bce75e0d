"""Lines are the same however the bytes were cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.transports.framing.lines import Lines
from erlmcp_py.transports.framing.message import Message, TooLong

LIMIT = 8


def assemble(stream: bytes, cuts: list[int]) -> list[Message]:
    assembler = Lines(LIMIT)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    lines: list[Message] = []
    for start, end in itertools.pairwise(edges):
        lines += assembler.feed(stream[start:end])
    return lines + assembler.finish()


def expected(stream: bytes) -> list[Message]:
    """What the rule says, in one expression."""
    *lines, rest = stream.split(b"\n")
    whole: list[Message] = [line if len(line) <= LIMIT else TooLong(LIMIT) for line in lines]
    if rest:
        whole.append(rest if len(rest) <= LIMIT else TooLong(LIMIT))
    return whole


@given(
    st.lists(st.sampled_from([b"\n", b"a", b"12345678", b"{}", b"\r"]), max_size=40).map(b"".join),
    st.lists(st.integers(1, 200), max_size=20),
)
def test_any_fragmentation_gives_the_same_lines(stream: bytes, cuts: list[int]) -> None:
    assert assemble(stream, cuts) == expected(stream)


def test_a_long_line_is_reported_once_and_at_once() -> None:
    assembler = Lines(LIMIT)
    assert assembler.feed(b"123456789") == [TooLong(LIMIT)]
    assert assembler.feed(b"more of it") == []
    assert assembler.feed(b"end\nnext\n") == [b"next"]
    assert assembler.finish() == []
