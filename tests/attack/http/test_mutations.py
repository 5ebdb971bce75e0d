"""A couple of thousand damaged requests; `make attack` sends as many as one likes."""

from __future__ import annotations

import itertools
import random

import pytest
import trio
from msgspec import structs

from erlmcp_py.transports.http.heads import Heads
from erlmcp_py.transports.http.request import Fault, HttpLimits, HttpRequest, RequestParser
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.attack.http import battle, campaign, strict
from tests.attack.http.agreeing import disagreement
from tests.attack.http.answers import Answer, Reader, Wrong
from tests.attack.http.mutation import Shot, call, chunked_call
from tests.erlmcp_py.transports.node import Probe, make_server, node


@pytest.mark.parametrize("seed", range(2))
def test_every_answer_is_right_and_nothing_is_left(seed: int) -> None:
    result = campaign.run(1000, seed)
    assert result.statuses[200] > 100
    assert result.statuses[400] > 100


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_accepted_that_a_strict_reader_reads_otherwise(seed: int) -> None:
    accepted = 0
    heads = Heads()
    for number in range(2000):
        shot = Shot(seed, number, "a session")
        events = RequestParser(HttpLimits()).feed(shot.wire)
        assert disagreement(shot.wire, events) is None, shot
        parser = RequestParser(HttpLimits())
        pieces = list(itertools.chain.from_iterable(parser.feed(piece) for piece in shot.pieces))
        accepted += sum(not isinstance(event, Fault) for event in events)
        assert [e for e in pieces if not isinstance(e, Fault)] == [
            e for e in events if not isinstance(e, Fault)
        ], shot
        assert len(pieces) == len(events), shot
        for _ in range(2):  # what others have sent before does not matter
            again = RequestParser(HttpLimits(), heads).feed(shot.wire)
            assert [
                structs.replace(event, head=None) if isinstance(event, HttpRequest) else event
                for event in again
            ] == events, shot
    assert accepted > 500


def test_what_is_not_damaged_is_accepted() -> None:
    rng = random.Random(0)
    for make in [call, chunked_call] * 50:
        wire = make(rng, "x")
        (read,), end = strict.read(wire)
        assert end == "end"
        assert disagreement(wire, RequestParser(HttpLimits()).feed(wire)) is None
        assert RequestParser(HttpLimits()).feed(wire)[0].body == read.body  # type: ignore[union-attr]


# --- the judges themselves ------------------------------------------------------------------


async def says(wire: bytes) -> Answer | None:
    """What a client makes of a server that says that and closes."""
    ours, theirs = trio.socket.socketpair()
    with ours:
        with theirs:
            await theirs.send(wire)
        return await Reader(ours).answer()


HEAD = b"HTTP/1.1 400 Bad Request\r\nDate: now\r\nContent-Type: application/json\r\n"
ERROR = (
    b'{"jsonrpc":"2.0","error":{"code":-32600,"message":"what was wrong","data":{"refusal":1066}}}'
)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200\r\n\r\n",
        HEAD.replace(b"400", b"500") + b"Content-Length: 0\r\n\r\n",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length: 2\r\n\r\n{",
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"X : y\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Len",
        HEAD + b"Content-Length: %d\r\n\r\n" % len(ERROR) + ERROR.replace(b"1066", b"1060"),
        HEAD + b"Content-Length: %d\r\n\r\n" % len(ERROR) + ERROR.replace(b"1066", b"4242"),
    ],
)
async def test_an_answer_that_is_none_is_seen(wire: bytes) -> None:
    with pytest.raises(Wrong):
        await says(wire)


async def test_a_good_error_is_read() -> None:
    answer = await says(HEAD + b"Content-Length: %d\r\n\r\n" % len(ERROR) + ERROR)
    assert answer is not None
    assert answer.status == 400


def test_an_answer_to_another_request_is_seen() -> None:
    good = call(random.Random(0), "nonce")
    requests, end = strict.read(good + good)
    body = b'{"result":{"content":[{"type":"text","text":"nonce"}]}}'
    answer = Answer(200, {}, body, True)
    battle._judge(requests, end, [answer, answer], good, "nonce")
    with pytest.raises(Wrong, match="another"):
        battle._judge(requests[:1], end, [answer, answer], good, "nonce")
    with pytest.raises(Wrong, match="without a word"):
        battle._judge(requests, end, [answer], good, "nonce")
    with pytest.raises(Wrong, match="no refusal"):
        battle._judge(requests, "refused", [answer, answer], good, "nonce")


async def test_who_is_left_is_seen() -> None:
    listener = child_spec(ListenerConfig(port=0))
    async with node(
        {"probe": make_server(Probe())}, listener, limits=campaign._SESSIONS
    ) as reports:
        first = await campaign._left()
        campaign._check(reports, first, first, "here")
        with await battle.dial(), pytest.raises(Wrong, match="became"):
            last = first._replace(descriptors=first.descriptors + 1)
            campaign._check(reports, first, last, "here")
