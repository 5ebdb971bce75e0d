"""Ids of sessions: unguessable, and of a worker for those who share its key."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.sessions.ids import SessionIds


@given(st.integers(1, 65535), st.binary(min_size=32, max_size=32))
def test_workers_of_one_key_know_whose_a_session_is(number: int, key: bytes) -> None:
    id = SessionIds(number, key).new()
    assert re.fullmatch(r"[A-Za-z0-9_-]{35}", id)
    assert SessionIds(1, key).worker_of(id) == number


def test_without_the_key_an_id_says_nothing() -> None:
    ids = SessionIds(1, b"k" * 32)
    made = [ids.new() for _ in range(300)]
    seen = {SessionIds(1, b"other" * 6).worker_of(id) for id in made}
    assert len(seen) > 200, "every id would be another worker's"
    assert len({id[-4:] for id in made}) > 200, "its end does not show the number either"


@given(st.text())
def test_whatever_a_client_sends_is_read(text: str) -> None:
    assert SessionIds(1, b"k" * 32).worker_of(text) is None or len(text) == 35


def test_a_node_without_workers_has_ids_of_nobody() -> None:
    ids = SessionIds()
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", ids.new())
    assert ids.worker_of(SessionIds(3, b"k" * 32).new()) is None


def test_no_id_is_taken_for_an_option_of_a_command() -> None:
    """`tasks cancel -n2DN…` was one."""
    ids = SessionIds()
    assert not [id for _ in range(2000) if (id := ids.new()).startswith("-")]
