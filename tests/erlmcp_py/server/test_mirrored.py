"""`Mcp-Param-…`: a header and its argument agree, or the call is refused."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from erlmcp_py.protocol.errors import HEADER_MISMATCH, McpError
from erlmcp_py.protocol.headers import mirrored_parameters
from erlmcp_py.server import Server
from erlmcp_py.server.mirrored import check_parameters

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
        "inner": {
            "type": "object",
            "properties": {"id": {"type": "string", "x-mcp-header": "Inner"}},
        },
        "free": {"type": "string"},
    },
}
PARAMETERS = mirrored_parameters(SCHEMA)


def check(arguments: dict[str, Any], **headers: bytes) -> None:
    lines = {f"mcp-param-{name.replace('_', '-')}".encode(): v for name, v in headers.items()}
    check_parameters(PARAMETERS, msgspec.json.encode(arguments), lines.get)


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({}, {}),
        ({"free": "x"}, {}),
        ({"region": None}, {}),
        ({"region": "eu"}, {"region": b"eu"}),
        ({"region": ""}, {"region": b""}),
        ({"region": "é"}, {"region": b"=?base64?" + base64.b64encode("é".encode()) + b"?="}),
        ({"count": 42}, {"count": b"42"}),
        ({"count": 42}, {"count": b"42.0"}),
        ({"count": -1}, {"count": b"-1"}),
        ({"dry": True}, {"dry_run": b"true"}),
        ({"inner": {"id": "a"}}, {"inner": b"a"}),
    ],
)
def test_what_agrees_passes(arguments: dict[str, Any], headers: dict[str, bytes]) -> None:
    check(arguments, **headers)


@pytest.mark.parametrize(
    ("arguments", "headers", "problem"),
    [
        ({"region": "eu"}, {}, "missing"),
        ({}, {"region": b"eu"}, "no argument"),
        ({"region": None}, {"region": b"null"}, "no argument"),
        ({"region": "eu"}, {"region": b"EU"}, "is 'EU'"),
        ({"region": "eu"}, {"region": b"=?base64?!?="}, "decoded"),
        ({"count": 42}, {"count": b"43"}, "43"),
        ({"count": 42}, {"count": b"x"}, "x"),
        ({"dry": True}, {"dry_run": b"True"}, "True"),
        ({"inner": {"id": "a"}}, {}, "inner.id"),
    ],
)
def test_what_disagrees_is_refused(
    arguments: dict[str, Any], headers: dict[str, bytes], problem: str
) -> None:
    with pytest.raises(McpError, match=problem) as caught:
        check(arguments, **headers)
    assert caught.value.code == HEADER_MISMATCH


def test_a_tool_that_marks_what_no_header_can_carry_is_not_defined() -> None:
    server = Server("s", version="1")
    wrong = Annotated[float, Meta(extra_json_schema={"x-mcp-header": "Size"})]

    def measure(size: float) -> str:
        """Measure."""
        return str(size)

    measure.__annotations__["size"] = wrong
    with pytest.raises(ValueError, match=r"test_mirrored.py:\d+: size: x-mcp-header"):
        server.tool()(measure)
