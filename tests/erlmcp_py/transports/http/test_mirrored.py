"""Headers that repeat the body: equal or refused (MCP 2026-07-28, standard headers)."""

from __future__ import annotations

import pytest

from erlmcp_py.protocol.errors import HEADER_MISMATCH, McpError
from erlmcp_py.protocol.headers import encode_value
from erlmcp_py.protocol.jsonrpc import request
from erlmcp_py.transports.http.mirrored import check_mirrored

NAME = "wetter-für"
CALL = request(1, "tools/call", {"name": NAME, "arguments": {}})
ENCODED = encode_value(NAME)


def test_headers_that_agree_pass() -> None:
    check_mirrored({b"mcp-method": b"tools/call", b"mcp-name": ENCODED}, CALL, NAME)
    check_mirrored({b"mcp-method": b"tools/list"}, request(1, "tools/list"), None)
    read = request(1, "resources/read", {"uri": "city://berlin"})
    check_mirrored(
        {b"mcp-method": b"resources/read", b"mcp-name": b"city://berlin"}, read, "city://berlin"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"mcp-name": ENCODED},
        {b"mcp-method": b"tools/call"},
        {b"mcp-method": b"Tools/Call", b"mcp-name": ENCODED},
        {b"mcp-method": b"tools/call", b"mcp-name": b"other"},
        {b"mcp-method": b"tools/call", b"mcp-name": b"=?base64?eA?="},
        {b"mcp-method": b"tools/call, tools/call", b"mcp-name": ENCODED},
    ],
)
def test_headers_that_disagree_are_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(McpError) as refusal:
        check_mirrored(headers, CALL, NAME)
    assert refusal.value.code == HEADER_MISMATCH


def test_a_body_without_the_name_is_left_to_the_method() -> None:
    for params in ({}, {"name": 5}):
        check_mirrored({b"mcp-method": b"tools/call"}, request(1, "tools/call", params), None)
