"""Frames to messages: the table, every cut of it, and random streams against the judge."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from erlmcp_py.transports.websocket.messages import Messages, close, text
from tests.attack.websocket.judge import CONT, Verdict, judge
from tests.attack.websocket.table import FRAGMENTS, LIMIT, Case, cases
from tests.erlmcp_py.transports.websocket.client import TEXT, closing, frame

TABLE = {f"{case.number} {case.about}": case for case in cases()}


def read(pieces: list[bytes], limit: int = LIMIT, fragments: int = FRAGMENTS) -> Verdict:
    """What the node makes of them."""
    messages = Messages(limit, fragments)
    came = []
    for piece in pieces:
        came += messages.feed(piece)
        while messages.more:
            came += messages.feed(b"")
    ending: bytes | int | None = None
    if messages.ending is not None:
        ending = messages.ending.payload
        if messages.ending.entry is not None:
            ending = int.from_bytes(ending[:2], "big")
    # A pong is 0x8a, a length below 126, and what the ping carried.
    return Verdict(came, [reply[2:] for reply in messages.replies], ending)


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_each_case(case: Case) -> None:
    expected = Verdict(case.messages, case.pongs, case.close)
    assert read([case.wire]) == expected
    assert judge(case.wire, LIMIT, FRAGMENTS) == expected, "the judge itself"


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_the_way_it_is_cut_does_not_matter(case: Case) -> None:
    wire, whole = case.wire, read([case.wire])
    if len(wire) < 2000:
        assert read([wire[n : n + 1] for n in range(len(wire))]) == whole
    for at in random.Random(1).sample(range(len(wire)), min(len(wire), 50)):
        assert read([wire[:at], wire[at:]]) == whole, at


def test_all_codes_of_a_close() -> None:
    for code in range(0, 65536, 1):
        expected = judge(frame(8, closing(code)), LIMIT, FRAGMENTS).close
        assert read([frame(8, closing(code))]).close == expected, code


_payloads = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=20).map(str.encode),
    st.sampled_from([b"", b"*" * 125, b"*" * 126, b"\xf4\x8f\xbf", b"\xed", struct.pack(">H", 1000)]),
)  # fmt: skip
_frames = st.builds(
    frame,
    st.sampled_from([0, 0, 1, 1, 1, 9, 10, 8, 2, 3, 15]),
    _payloads,
    fin=st.sampled_from([True, True, False]),
    reserved=st.sampled_from([0, 0, 0, 0, 0, 0, 0, 4]),
    mask=st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\0" * 4)),
)


@st.composite
def _streams(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Frames, perhaps damaged, and where they are cut."""
    stream = bytearray(b"".join(draw(st.lists(_frames, max_size=12))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        if stream:
            at = draw(st.integers(0, len(stream) - 1))
            how = draw(st.sampled_from(["change", "drop", "put", "end"]))
            if how == "change":
                stream[at] ^= 1 << draw(st.integers(0, 7))
            elif how == "drop":
                del stream[at]
            elif how == "put":
                stream.insert(at, draw(st.integers(0, 255)))
            else:
                del stream[at:]
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=8))
    return bytes(stream), sorted(cuts)


@given(_streams())
@example((frame(TEXT, b"", fin=False) + frame(CONT, b"\xf4\x8f\xbf", fin=False), [3]))
def test_random_frames_are_read_as_the_judge_reads_them(stream: tuple[bytes, list[int]]) -> None:
    wire, cuts = stream
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert read(pieces, 200, 4) == judge(wire, 200, 4)


@given(st.binary(max_size=300))
def test_noise(wire: bytes) -> None:
    assert read([wire], 200, 4) == judge(wire, 200, 4)


def test_nothing_is_kept_behind_the_end() -> None:
    messages = Messages(LIMIT, FRAGMENTS)
    messages.feed(frame(3) + bytes(10_000))
    for _ in range(100):
        assert messages.feed(bytes(10_000)) == []
    assert len(messages._reader.buffer) == 0


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 100_000])
def test_what_is_sent(size: int) -> None:
    head = text(b"x" * size)[: -size or None]
    first = {0: b"\0", 125: b"\x7d", 126: b"\x7e\0\x7e", 65535: b"\x7e\xff\xff"}
    eight = b"\x7f" + size.to_bytes(8, "big")
    assert head == b"\x81" + first.get(size, eight)
    assert text(b"x" * size)[len(head) :] == b"x" * size
    assert close(closing(1000)) == b"\x88\x02\x03\xe8"


def test_many_frames_in_one_read_are_taken_a_few_at_a_time() -> None:
    messages, wire = Messages(LIMIT, FRAGMENTS), frame(9) * 999 + frame(TEXT, b"a")
    calls, came = 1, messages.feed(wire)
    while messages.more:
        assert len(messages.replies) == 64 * calls
        calls, came = calls + 1, came + messages.feed(b"")
    assert (calls, came, len(messages.replies)) == (16, [b"a"], 999)
