"""Reading HTTP/1.1 responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.client.http.response import MAX_HEAD, BadResponse, ResponseParser

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nx-trailer: 1\r\n\r\n"
)
CLOSED = b"HTTP/1.0 200 OK\r\n\r\nhello"


def parse(data: bytes, cuts: list[int] | None = None, limit: int = 1000) -> ResponseParser:
    parser = ResponseParser(limit)
    places = sorted({min(cut, len(data)) for cut in cuts or []})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        if data[start:end]:
            parser.feed(data[start:end])
    return parser


@pytest.mark.parametrize("data", [LENGTH, CHUNKED, CLOSED, b"HTTP/1.1 100 Go\r\n\r\n" + LENGTH])
@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_however_it_was_cut(data: bytes, cuts: list[int]) -> None:
    parser = parse(data, cuts)
    if data is CLOSED:
        assert not parser.done
        parser.eof()
    assert parser.done
    assert parser.take() == b"hello"
    assert parser.head is not None
    assert parser.head.status == 200
    assert parser.keep_alive is (data is not CLOSED)


def test_the_head() -> None:
    head = parse(LENGTH).head
    assert head is not None
    assert head.media_type == "application/json"
    head = parse(b"HTTP/1.1 401 No\r\nA: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n").head
    assert head is not None
    assert (head.status, head.headers["a"]) == (401, "1, 2")


def test_without_a_body() -> None:
    for status in (b"204 No Content", b"304 Not Modified"):
        assert parse(b"HTTP/1.1 " + status + b"\r\n\r\n").done
    assert parse(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").done


def test_what_stands_behind_the_end_spoils_the_connection_only() -> None:
    parser = parse(LENGTH + b"HTTP/1.1 200 OK")
    assert parser.take() == b"hello"
    assert not parser.keep_alive


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + MAX_HEAD * b"x",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + 2000 * b"x",
    ],
)
def test_what_is_no_response(data: bytes) -> None:
    with pytest.raises(BadResponse):
        parse(data)


@pytest.mark.parametrize("data", [b"", LENGTH[:20], LENGTH[:-1], CHUNKED[:-2]])
def test_an_end_too_soon(data: bytes) -> None:
    with pytest.raises(BadResponse, match="connection ended"):
        parse(data).eof()
