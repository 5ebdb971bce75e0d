"""What the load generators send and how they judge answers."""

import json
import os

import pytest

from bench.mcp import wire
from bench.mcp.http_load import split_response
from bench.mcp.process import cpu_seconds, percentile, resident_mib

WHOLE = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: AbC\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_every_request_is_json_of_one_length(era):
    template = wire.template(era)
    first, last = (template % n for n in (wire.FIRST_ID, 9_999_999))
    assert len(first) == len(last)
    assert json.loads(last)["id"] == 9_999_999
    assert ("_meta" in json.loads(first)["params"]) == (era == "modern")


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_response_is_recognised_when_it_is_whole(cut):
    assert split_response(WHOLE[:cut]) is None
    assert split_response(WHOLE + WHOLE[:cut]) == (
        200,
        b"HTTP/1.1 200 OK\r\nMcp-Session-Id: AbC\r\nContent-Length: 4",
        b"body",
        WHOLE[:cut],
    )


def test_response_without_a_length_is_refused():
    with pytest.raises(RuntimeError, match="needs a Content-Length"):
        split_response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def answer(**changes):
    message = {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "42"}]}}
    return json.dumps({**message, **changes}, separators=(",", ":")).encode()


def test_only_the_right_answer_counts():
    assert wire.is_right(answer(), 7)
    assert wire.looks_right(answer())
    assert not wire.is_right(answer(), 8)
    wrong = {"content": [{"type": "text", "text": "42"}], "isError": True}
    assert not wire.is_right(answer(result=wrong), 7)
    assert not wire.looks_right(answer(result=wrong))
    assert not wire.looks_right(answer(result={"content": [{"type": "text", "text": "41"}]}))


def test_percentile_is_a_value_that_was_measured():
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([3.0], 0.99) == 3.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_process_figures_are_those_of_the_process():
    assert 1 < resident_mib(os.getpid()) < 10_000
    assert 0 < cpu_seconds(os.getpid()) < 100_000
