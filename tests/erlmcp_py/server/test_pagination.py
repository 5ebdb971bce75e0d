from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.server.pagination import page


@given(st.lists(st.integers()), st.integers(1, 7))
def test_pages_join_to_the_list(items: list[int], size: int) -> None:
    collected: list[int] = []
    cursor = None
    for _ in range(len(items) + 1):
        part, cursor = page(items, cursor, size, "tools")
        assert len(part) <= size
        collected += part
        if cursor is None:
            break
    assert cursor is None
    assert collected == items


def cursor_of(what: str) -> str:
    cursor = page(range(10), None, 3, what)[1]
    assert cursor is not None
    return cursor


def forged(text: str) -> str:
    return base64.urlsafe_b64encode(b"\0\0\0\0" + text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "3",
        "tools:3",
        "ä",
        "=",
        cursor_of("prompts"),
        cursor_of("tools") + "=",
        forged("tools:3"),
    ],
)
def test_a_cursor_that_was_not_issued(cursor: str) -> None:
    with pytest.raises(McpError, match="Unknown cursor for tools") as caught:
        page(range(10), cursor, 3, "tools")
    assert caught.value.code == INVALID_PARAMS


def test_a_cursor_beyond_a_list_that_shrank() -> None:
    with pytest.raises(McpError):
        page(range(3), cursor_of("tools"), 3, "tools")


@given(st.text())
def test_any_text_is_refused_or_issued(cursor: str) -> None:
    with pytest.raises(McpError):
        page(range(10), cursor, 3, "tools")
