"""Content blocks and resource contents: one union with a tag, one without."""

from __future__ import annotations

import msgspec
import pytest

from erlmcp_py.protocol import types as mcp

BLOCKS = [
    (mcp.TextContent("t"), {"type": "text", "text": "t"}),
    (
        mcp.ImageContent("AA==", "image/png"),
        {"type": "image", "data": "AA==", "mimeType": "image/png"},
    ),
    (
        mcp.AudioContent("AA==", "audio/wav"),
        {"type": "audio", "data": "AA==", "mimeType": "audio/wav"},
    ),
    (
        mcp.ResourceLink("test://a", "a", size=0),
        {"type": "resource_link", "uri": "test://a", "name": "a", "size": 0},
    ),
    (
        mcp.EmbeddedResource(mcp.ResourceContents("test://a", text="")),
        {"type": "resource", "resource": {"uri": "test://a", "text": ""}},
    ),
]


@pytest.mark.parametrize(("block", "value"), BLOCKS)
def test_blocks_are_told_apart_by_type(block: mcp.ContentBlock, value: object) -> None:
    encoded = msgspec.json.encode(block)
    assert msgspec.json.decode(encoded) == value
    assert msgspec.json.decode(encoded, type=mcp.ContentBlock) == block


@pytest.mark.parametrize("value", [b'{"type":"video"}', b'{"text":"t"}', b'{"type":"text"}'])
def test_a_block_of_no_known_kind_is_refused(value: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(value, type=mcp.ContentBlock)


@pytest.mark.parametrize(
    "value", [b'{"uri":"test://a"}', b'{"uri":"test://a","text":"t","blob":"AA=="}']
)
def test_resource_contents_are_text_or_blob(value: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="either `text` or `blob`"):
        msgspec.json.decode(value, type=mcp.ResourceContents)


def test_both_kinds_of_resource_contents_are_resource_contents() -> None:
    text = mcp.TextResourceContents(uri="test://a", text="t", mime_type="text/plain")
    blob = mcp.BlobResourceContents(uri="test://b", blob="AA==")
    result = mcp.ReadResourceResult(contents=[text, blob])
    back = msgspec.json.decode(msgspec.json.encode(result), type=mcp.ReadResourceResult)
    assert back.contents == [
        mcp.ResourceContents("test://a", "text/plain", text="t"),
        mcp.ResourceContents("test://b", blob="AA=="),
    ]
    with pytest.raises(ValueError, match="either `text` or `blob`"):
        mcp.TextResourceContents(uri="test://a", text="t", blob="AA==")


def test_a_null_structured_result_is_one_and_an_absent_one_is_none() -> None:
    null = mcp.CallToolResult([], structured_content=None)
    absent = mcp.CallToolResult([])
    assert msgspec.json.encode(null) == b'{"content":[],"structuredContent":null}'
    assert msgspec.json.encode(absent) == b'{"content":[]}'
    for result in (null, absent):
        assert msgspec.json.decode(msgspec.json.encode(result), type=mcp.CallToolResult) == result


def test_false_is_written_and_members_of_the_future_are_skipped() -> None:
    assert msgspec.json.encode(mcp.CallToolResult([], is_error=False)) == (
        b'{"content":[],"isError":false}'
    )
    later = b'{"name":"t","inputSchema":{"type":"object"},"later":{"a":1}}'
    assert msgspec.json.decode(later, type=mcp.Tool) == mcp.Tool("t", {"type": "object"})
