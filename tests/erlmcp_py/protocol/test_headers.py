"""Values in headers, and the arguments that are repeated in them (MCP 2026-07-28, standard headers)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol.headers import (
    MirroredParameter,
    decode_value,
    encode_value,
    header_text,
    mirrored_parameters,
    parameter_headers,
    says,
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    encoded = encode_value(text)
    assert decode_value(encoded) == text
    assert all(byte in b"\t" or 0x20 <= byte < 0x7F for byte in encoded)
    assert encoded.strip(b" \t") == encoded
    assert decode_value(b"=?base64?" + b64encode(text.encode()) + b"?=") == text


@pytest.mark.parametrize("text", ["plain", "", "a b", "a\tb", "=?base64?", "eA==?="])
def test_what_is_safe_stays_readable(text: str) -> None:
    assert encode_value(text) == text.encode()


@pytest.mark.parametrize(
    "text", [" a", "a ", "\ta", " ", "a\nb", "a\rb", "\x7f", "\0", "ü", "=?base64?eA==?="]
)
def test_what_is_not_safe_is_encoded(text: str) -> None:
    assert encode_value(text).startswith(b"=?base64?")


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


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "deep": {
            "type": "object",
            "properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry-Run"}},
        },
        "plain": {"type": "string"},
        "data": {"type": "object", "default": {"x-mcp-header": "not a keyword here"}},
    },
}


def test_the_parameters_of_a_schema() -> None:
    assert mirrored_parameters(SCHEMA) == (
        MirroredParameter(("region",), "Mcp-Param-Region", "string"),
        MirroredParameter(("count",), "Mcp-Param-Count", "integer"),
        MirroredParameter(("deep", "dry"), "Mcp-Param-Dry-Run", "boolean"),
    )
    assert mirrored_parameters({"type": "object"}) == ()


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


MARKED = {"type": "string", "x-mcp-header": "A"}
WRONG = [
    of(a={"type": "string", "x-mcp-header": ""}),
    of(a={"type": "string", "x-mcp-header": "a b"}),
    of(a={"type": "string", "x-mcp-header": "a:b"}),
    of(a={"type": "string", "x-mcp-header": "ü"}),
    of(a={"type": "string", "x-mcp-header": "a\r\nb"}),
    of(a={"type": "string", "x-mcp-header": 5}),
    of(a={"type": "string", "x-mcp-header": None}),
    of(a={"type": "number", "x-mcp-header": "A"}),
    of(a={"type": "object", "x-mcp-header": "A"}),
    of(a={"type": ["string", "null"], "x-mcp-header": "A"}),
    of(a={"x-mcp-header": "A"}),
    of(a=MARKED, b={"type": "string", "x-mcp-header": "a"}),
    of(a={"type": "array", "items": MARKED}),
    of(a={"anyOf": [MARKED]}),
    {"type": "object", "$defs": {"a": MARKED}},
    {"type": "object", "patternProperties": {"^a": MARKED}},
    {"type": "object", "additionalProperties": MARKED},
    {"type": "object", "allOf": [of(a=MARKED)]},
    {"type": "object", "if": of(a=MARKED)},
    {"type": "object", "x-mcp-header": "A"},
]


@pytest.mark.parametrize("schema", WRONG, ids=str)
def test_schemas_that_mark_what_cannot_be_mirrored(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="x-mcp-header"):
        mirrored_parameters(schema)


def test_what_a_client_sends() -> None:
    parameters = mirrored_parameters(SCHEMA)
    arguments = {"region": " eu", "count": 3, "deep": {"dry": True}, "plain": "x"}
    assert parameter_headers(parameters, arguments) == {
        "Mcp-Param-Region": b"=?base64?IGV1?=",
        "Mcp-Param-Count": b"3",
        "Mcp-Param-Dry-Run": b"true",
    }
    assert parameter_headers(parameters, {"region": None, "deep": 5}) == {}


@pytest.mark.parametrize(
    ("text", "value", "same"),
    [
        ("3", 3, True),
        ("03", 3, True),
        ("3.0", 3, True),
        ("3e0", 3, True),
        ("4", 3, False),
        ("", 3, False),
        ("three", 3, False),
        ("1", True, False),
        ("true", True, True),
        ("True", True, False),
        ("3", "3", True),
        ("03", "3", False),
        ("9007199254740993", 9007199254740992, False),
    ],
)
def test_comparing(text: str, value: Any, same: bool) -> None:
    assert says(text, value) is same


@given(st.integers() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"])))
def test_what_a_client_writes_a_server_takes_for_the_same(value: Any) -> None:
    assert says(decode_value(encode_value(header_text(value))), value)
