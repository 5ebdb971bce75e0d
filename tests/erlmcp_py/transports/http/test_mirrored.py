"""Headers that repeat the body: equal or refused (MCP 2026-07-28, standard headers)."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol.errors import HEADER_MISMATCH, McpError
from erlmcp_py.protocol.jsonrpc import request
from erlmcp_py.transports.http.mirrored import check_mirrored, decode_value

CALL = request(1, "tools/call", {"name": "wetter-für", "arguments": {}})
ENCODED = b"=?base64?" + b64encode("wetter-für".encode()) + b"?="


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_base64_form_carries_any_text(text: str) -> None:
    assert decode_value(b"=?base64?" + b64encode(text.encode()) + b"?=") == text


@pytest.mark.parametrize(
    "value",
    [b"plain", b"=?base64?", b"=?base64?eA==", b"eA==?=", b"=?BASE64?eA==?=", b"=?base64?="],
)
def test_without_both_markers_a_value_is_literal(value: bytes) -> None:
    assert decode_value(value) == value.decode()


@pytest.mark.parametrize("payload", [b"eA", b"eA=", b"eB==", b"e A==", b"_-==", b"/w=="])
def test_base64_is_strict(payload: bytes) -> None:
    with pytest.raises(ValueError):
        decode_value(b"=?base64?" + payload + b"?=")


def test_headers_that_agree_pass() -> None:
    check_mirrored({b"mcp-method": b"tools/call", b"mcp-name": ENCODED}, CALL)
    check_mirrored({b"mcp-method": b"tools/list"}, request(1, "tools/list"))
    read = request(1, "resources/read", {"uri": "city://berlin"})
    check_mirrored({b"mcp-method": b"resources/read", b"mcp-name": b"city://berlin"}, read)


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
        check_mirrored(headers, CALL)
    assert refusal.value.code == HEADER_MISMATCH


def test_a_body_without_the_name_is_left_to_the_method() -> None:
    for params in ({}, {"name": 5}):
        check_mirrored({b"mcp-method": b"tools/call"}, request(1, "tools/call", params))
