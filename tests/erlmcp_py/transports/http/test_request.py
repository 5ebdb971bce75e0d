"""The request parser: what arrives whole arrives the same in pieces, and limits hold throughout."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.transports.http.heads import LONGEST, Heads
from erlmcp_py.transports.http.request import Fault, HttpLimits, HttpRequest, RequestParser

SMALL = HttpLimits(max_head=400, max_headers=8, max_target=100, max_body=64)

POST = b"POST /mcp?x=1 HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = (
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: late\r\n\r\n"
)
GET = b"GET /mcp/we%20b HTTP/1.1\r\nHost: a\r\n\r\n"
H2C = (
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABk\r\nContent-Length: 3\r\n\r\nabc"
)
STREAMS = {
    "pipelined": POST + CHUNKED + GET + POST,
    "upgrade offered": H2C + GET + H2C,
    "close ends it": GET + b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET,
    "old version": b"GET /a HTTP/1.0\r\n\r\n",
    "blank lines before": b"\r\n\r\n" + GET,
    "both framings": GET
    + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "body announced too large": GET + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n",
    "chunks too large": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"20\r\n" + b"x" * 32 + b"\r\n20\r\n" + b"y" * 32 + b"\r\n1\r\nz\r\n0\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 8 + b"\r\n",
    "garbage": GET + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}  # fmt: skip


def parse(stream: bytes, cuts: list[int], heads: Heads | None = None) -> list[HttpRequest | Fault]:
    parser = RequestParser(SMALL, heads)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    events: list[HttpRequest | Fault] = []
    for start, end in itertools.pairwise(edges):
        events += parser.feed(stream[start:end])
    return events


def without_heads(events: list[HttpRequest | Fault]) -> list[HttpRequest | Fault]:
    return [
        msgspec.structs.replace(event, head=None) if isinstance(event, HttpRequest) else event
        for event in events
    ]


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(1, 400), max_size=40))
def test_any_fragmentation_gives_the_same_requests(name: str, cuts: list[int]) -> None:
    whole = parse(STREAMS[name], [])
    assert whole
    assert parse(STREAMS[name], cuts) == whole


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_byte_by_byte_gives_the_same_requests(name: str) -> None:
    assert parse(STREAMS[name], list(range(1000))) == parse(STREAMS[name], [])


def test_what_a_request_holds() -> None:
    post, chunked, get, _ = parse(STREAMS["pipelined"], [])
    assert isinstance(post, HttpRequest)
    assert (post.method, post.path, post.query, post.body) == ("POST", "/mcp", "x=1", b"body")
    assert post.header("X-Two") == "1, 2"
    assert post.header("absent") is None
    assert post.keep_alive
    assert isinstance(chunked, HttpRequest)
    assert chunked.body == b"abcde"
    assert chunked.header("x-late") is None
    assert isinstance(get, HttpRequest)
    assert get.path == "/mcp/we b"


def test_an_offered_upgrade_is_ignored_and_the_body_is_read() -> None:
    first, second, third = parse(STREAMS["upgrade offered"], [])
    assert isinstance(first, HttpRequest)
    assert first.body == b"abc"
    assert first.keep_alive
    assert first.header("upgrade") == "h2c"
    assert isinstance(second, HttpRequest)
    assert second.method == "GET"
    assert third == first


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: keep-alive, Close\r\n", False),
        ("1.1", "Connection: closed\r\n", True),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive\r\n", True),
        ("1.0", "Connection: close\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_when_the_connection_lives_on(version: str, connection: str, keep_alive: bool) -> None:
    stream = f"GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n".encode()
    (request,) = parse(stream, [])
    assert isinstance(request, HttpRequest)
    assert request.keep_alive is keep_alive


def test_nothing_is_read_after_a_request_that_closes() -> None:
    first, last = parse(STREAMS["close ends it"], [])
    assert isinstance(first, HttpRequest)
    assert isinstance(last, HttpRequest)
    assert first.keep_alive
    assert not last.keep_alive


@pytest.mark.parametrize(
    ("stream", "status", "words"),
    [
        (STREAMS["both framings"], 400, "Transfer-Encoding"),
        (STREAMS["body announced too large"], 413, "64 bytes"),
        (STREAMS["chunks too large"], 413, "64 bytes"),
        (STREAMS["too many headers"], 431, "8 header lines"),
        (STREAMS["garbage"], 400, "TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"),
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "100 bytes"),
        (b"GET / HTTP/1.1\r\nHost: " + b"a" * 400 + b"\r\n\r\n", 431, "400 bytes"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "HTTP/1.0"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, ""),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, ""),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400, ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, "100-continue"),
    ],
)
def test_what_is_refused(stream: bytes, status: int, words: str) -> None:
    fault = parse(stream, [])[-1]
    assert isinstance(fault, Fault)
    assert fault.status == status
    assert words in fault.reason


def test_a_head_that_never_ends_is_refused_before_it_ends() -> None:
    parser = RequestParser(SMALL)
    events = parser.feed(b"GET / HTTP/1.1\r\nX-Endless: ")
    for _ in range(100):
        events += parser.feed(b"a" * 20)
    assert [event.status for event in events if isinstance(event, Fault)] == [431]
    assert parser.closed
    assert parser.feed(GET) == []


def test_the_body_limit_is_judged_by_the_announcement() -> None:
    parser = RequestParser(SMALL)
    assert parser.feed(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n") == []
    (fault,) = parser.feed(b"Content-Length: 65\r\n\r\n")
    assert isinstance(fault, Fault)
    assert fault.status == 413
    assert not parser.wants_continue


def test_continue_is_wanted_only_while_the_body_is_held_back() -> None:
    parser = RequestParser(SMALL)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert parser.feed(head) == []
    assert parser.wants_continue
    assert parser.feed(b"a") == []
    assert not parser.wants_continue
    (request,) = parser.feed(b"b")
    assert isinstance(request, HttpRequest)
    assert request.body == b"ab"
    (at_once,) = parser.feed(head + b"xy")
    assert isinstance(at_once, HttpRequest)
    assert not parser.wants_continue


def test_idle_means_between_requests() -> None:
    parser = RequestParser(SMALL)
    assert parser.idle
    parser.feed(GET[:10])
    assert not parser.idle
    parser.feed(GET[10:])
    assert parser.idle


def test_connect_is_refused_and_then_nothing_more_is_http() -> None:
    parser = RequestParser(SMALL)
    (fault,) = parser.feed(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nbytes")
    assert isinstance(fault, Fault)
    assert fault.status == 501
    assert parser.closed


@given(st.binary(max_size=600), st.lists(st.integers(1, 600), max_size=8))
def test_no_bytes_make_it_fail(stream: bytes, cuts: list[int]) -> None:
    for event in parse(stream, cuts):
        assert isinstance(event, HttpRequest | Fault)


# --- heads that were read before -------------------------------------------------------------

EXPECTING = b"POST /mcp HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
CLOSING = b"POST /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(1, 400), max_size=5)),
        max_size=12,
    )
)
def test_what_was_read_before_changes_nothing(streams: list[tuple[str, list[int]]]) -> None:
    heads = Heads()
    for name, cuts in streams:
        assert without_heads(parse(STREAMS[name], cuts, heads)) == parse(STREAMS[name], [])


def test_a_head_is_known_at_the_third_time_with_another_body() -> None:
    parser = RequestParser(SMALL, Heads())
    first, second, third = parser.feed(POST + POST + POST.replace(b"body", b"soul"))
    assert isinstance(third, HttpRequest)
    assert third.body == b"soul"
    assert first.head is None  # type: ignore[union-attr]
    assert third.head is second.head is not None  # type: ignore[union-attr]


def test_a_byte_makes_another_head() -> None:
    heads = Heads()
    parse(POST * 3, [], heads)
    (longer,) = parse(POST.replace(b": 4", b": 5") + b"!", [], heads)
    assert isinstance(longer, HttpRequest)
    assert (longer.body, longer.head) == (b"body!", None)


@pytest.mark.parametrize("stream", [GET, CHUNKED, EXPECTING, CLOSING], ids="gxec")
def test_what_leaves_something_open_is_not_remembered(stream: bytes) -> None:
    heads = Heads()
    for _ in range(4):
        assert parse(stream, [], heads) == parse(stream, [])
    parser = RequestParser(SMALL, heads)
    parser.feed(EXPECTING[:-2])
    assert parser.wants_continue
    assert len(heads) == 0


def test_strangers_fill_no_memory() -> None:
    heads = Heads()
    parser = RequestParser(HttpLimits(), heads)
    for number in range(3000):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nX: %d\r\n\r\nx" % number
        parser.feed(head)
        assert len(heads) == 0
    for number in range(3000):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nX: %d\r\n\r\nx" % number
        parser.feed(head * 2)
        assert len(heads) <= 1024
    before = len(heads)
    long = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nX: %b\r\n\r\nx" % (b"y" * LONGEST)
    parser.feed(long * 3)
    assert len(heads) == before
