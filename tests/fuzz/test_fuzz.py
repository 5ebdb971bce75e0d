"""A few thousand messages that are almost right; `make fuzz` sends as many as one likes.

And the oracle itself: an answer that is wrong, missing or doubled does not pass.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fuzz import campaign, channel, http, oracle, stdio
from tests.fuzz.grammar import ACCEPT, Shot
from tests.schema_gate import Gate

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
NODES = 18


@pytest.mark.parametrize("transport", campaign.TRANSPORTS)
@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_gets_the_right_answer(
    transport: str, seed: int, schema_gate_: Gate
) -> None:
    assert campaign.one_round(transport, seed, NODES, schema_gate_) > NODES * 10


def line(message: Any) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said.pop(0),
        lambda said: said.insert(0, said[0]),
        lambda said: said[0].update(id="1"),
        lambda said: said[0].update(error={"code": -32603, "message": "oh"}),
        lambda said: said.append({"jsonrpc": "2.0", "error": {"code": -32700, "message": "?"}}),
        lambda said: said.pop(),
    ],
    ids=["missing", "twice", "other id", "other code", "too many", "the good one missing"],
)
def test_a_wrong_answer_on_stdio_is_seen(spoil: Any) -> None:
    said, reports = stdio.play([line(PING)])
    channel.judge([line(PING)], said, reports)
    spoil(said)
    with pytest.raises((AssertionError, ValueError)):
        channel.judge([line(PING)], said, reports)


def test_a_crash_that_nobody_meant_is_seen() -> None:
    params = {**channel.GOOD["params"], "name": "fail", "arguments": {}}
    tool = {**channel.GOOD, "id": 1, "params": params}
    said, reports = stdio.play([line(tool)])
    channel.judge([line(tool)], said, reports)
    (crash,) = [report for report in reports if type(report).__name__ == "CrashReport"]
    object.__setattr__(crash, "label", "stdio")
    with pytest.raises(AssertionError):
        channel.judge([line(tool)], said, reports)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda heard: heard.messages.clear(),
        lambda heard: heard.messages.append(heard.messages[0]),
        lambda heard: heard.messages[0].update(id=2),
        lambda heard: setattr(heard, "status", 202),
    ],
    ids=["missing", "twice", "other id", "other status"],
)
def test_a_wrong_answer_over_http_is_seen(spoil: Any) -> None:
    headers = [("Host", "localhost"), ("Accept", ACCEPT), ("Content-Type", "application/json")]
    shot = Shot("POST", "/mcp", headers, "mine", line(PING))
    heard, reports = http.play([shot])
    http.judge([shot], heard, reports)
    spoil(heard[0])
    with pytest.raises(AssertionError):
        http.judge([shot], heard, reports)


def test_the_reading_of_a_text() -> None:
    assert oracle.read(b" ").kind is None
    assert oracle.read(b"{").ids == (None,)
    assert oracle.read(b'{"jsonrpc":"2.0","id":7,"method":1}').ids == (("int", 7),)
    assert oracle.read(b'{"jsonrpc":"2.0","id":true,"method":"ping"}').ids == (None,)
    both = oracle.read(b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"\xff"}}')
    assert (both.kind, both.ids) == (oracle.PARSE, (None, ("int", 7)))
