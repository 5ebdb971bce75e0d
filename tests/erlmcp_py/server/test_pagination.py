"""Cursors: opaque, sealed, and good for one list of one server."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.pagination import BEGINNING, Cursors, Place, cut

SEALER = StateSealer()
CURSORS = Cursors(SEALER, "shop", "tools")


@given(st.lists(st.integers()), st.integers(1, 7))
def test_pages_join_to_the_list(items: list[int], size: int) -> None:
    collected: list[int] = []
    cursor: str | None = None
    for _ in range(len(items) + 1):
        part, then = cut(items, CURSORS.read(cursor).seen, size)
        assert len(part) <= size
        collected += part
        if then is None:
            break
        cursor = CURSORS.write(then)
    assert then is None
    assert collected == items


def test_without_a_cursor_a_list_begins() -> None:
    assert CURSORS.read(None) == BEGINNING == Place(0, 0, None)


@given(st.builds(Place, st.integers(0, 2**63), st.integers(0, 99), st.none() | st.text()))
def test_a_cursor_says_where_it_was(place: Place) -> None:
    cursor = CURSORS.write(place)
    assert CURSORS.read(cursor) == place


def test_a_list_that_became_shorter_ends() -> None:
    assert cut([1, 2], 5, 2) == ([], None)


def refused(cursor: str, cursors: Cursors = CURSORS) -> None:
    with pytest.raises(McpError, match=r"Unknown cursor for \w+; begin again") as caught:
        cursors.read(cursor)
    assert caught.value.code == INVALID_PARAMS


@pytest.mark.parametrize("cursor", ["", "x", "3", "ä", "=", "A" * 100_000])
def test_a_cursor_that_was_not_issued(cursor: str) -> None:
    refused(cursor)


def test_a_cursor_of_another_list_server_or_key() -> None:
    cursor = CURSORS.write(Place(3))
    refused(cursor, Cursors(SEALER, "shop", "prompts"))
    refused(cursor, Cursors(SEALER, "other", "tools"))
    refused(cursor, Cursors(StateSealer(), "shop", "tools"))


@given(st.integers(0), st.integers(1, 255))
def test_a_cursor_with_one_byte_changed(at: int, change: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(CURSORS.write(Place(3)) + "=="))
    data[at % len(data)] ^= change
    refused(base64.urlsafe_b64encode(bytes(data)).decode().rstrip("="))


@given(st.text())
def test_any_text_is_refused(cursor: str) -> None:
    refused(cursor)
