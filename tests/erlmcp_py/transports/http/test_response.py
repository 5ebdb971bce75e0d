"""Responses and event streams are read back by an independent parser."""

from __future__ import annotations

import http.client
import io
from typing import Any, cast

import pytest

from erlmcp_py.transports.http.response import TEXT, response
from erlmcp_py.transports.http.sse import SseWriter, event


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def read(data: bytes, method: str = "POST") -> tuple[http.client.HTTPResponse, bytes]:
    answer = http.client.HTTPResponse(cast("Any", _Socket(data)), method=method)
    answer.begin()
    return answer, answer.read()


def test_body_with_its_type_and_length() -> None:
    answer, body = read(response(200, b"{}", headers=[(b"Mcp-Session-Id", b"s1")]))
    assert answer.status == 200
    assert body == b"{}"
    assert answer.getheader("Content-Type") == "application/json"
    assert answer.getheader("Mcp-Session-Id") == "s1"
    assert answer.getheader("Date", "").endswith("GMT")
    assert answer.getheader("Connection") is None


def test_no_body_has_length_zero_and_no_type() -> None:
    answer, body = read(response(202))
    assert (answer.status, body) == (202, b"")
    assert answer.getheader("Content-Length") == "0"
    assert answer.getheader("Content-Type") is None


def test_204_has_no_length() -> None:
    answer, _ = read(response(204))
    assert answer.getheader("Content-Length") is None


def test_head_names_the_length_only() -> None:
    data = response(200, b"hello", content_type=TEXT, head_only=True)
    assert data.endswith(b"Content-Length: 5\r\n\r\n")


@pytest.mark.parametrize(
    ("keep_alive", "version", "expected"),
    [
        (True, "1.1", None),
        (False, "1.1", "close"),
        (True, "1.0", "keep-alive"),
        (False, "1.0", "close"),
    ],
)
def test_connection_is_said_where_it_is_not_the_default(
    keep_alive: bool, version: str, expected: str | None
) -> None:
    answer, _ = read(response(200, b"x", keep_alive=keep_alive, version=version))
    assert answer.getheader("Connection") == expected


def test_a_stream_under_http_1_1_is_chunked_and_ends() -> None:
    writer = SseWriter()
    data = (
        writer.start([(b"Mcp-Session-Id", b"s1")])
        + writer.event(b'{"a":1}')
        + writer.comment()
        + writer.event(b"x\r\ny\nz", id="7")
        + writer.end()
    )
    answer, body = read(data)
    assert answer.getheader("Content-Type") == "text/event-stream"
    assert answer.getheader("X-Accel-Buffering") == "no"
    assert answer.getheader("Mcp-Session-Id") == "s1"
    assert body == (
        b'event: message\ndata: {"a":1}\n\n'
        b": keep-alive\n\n"
        b"event: message\nid: 7\ndata: x\ndata: y\ndata: z\n\n"
    )
    assert writer.keep_alive


def test_a_stream_under_http_1_0_ends_with_the_connection() -> None:
    writer = SseWriter(version="1.0", keep_alive=True)
    answer, body = read(writer.start() + writer.event(b"1") + writer.end())
    assert answer.getheader("Transfer-Encoding") is None
    assert body == b"event: message\ndata: 1\n\n"
    assert not writer.keep_alive


def test_fields_that_could_break_out_of_their_line_are_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        event(b"x", id="a\nevent: b")


def test_retry_is_in_milliseconds() -> None:
    assert event(b"", id="1", retry=500) == b"id: 1\nretry: 500\ndata: \n\n"
