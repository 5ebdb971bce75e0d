"""The session as a machine: which scopes are asked for, and when for more."""

from __future__ import annotations

import pytest

from erlmcp_py.auth.client.errors import AuthorizationError

from .sessions import (
    BEARER,
    Tokens,
    refuse,
    sent,
    session,
    world,
)


@pytest.mark.parametrize(
    ("header", "supported", "listed", "asked"),
    [
        ('Bearer scope="a b"', ["c"], [], "a b"),
        ("Bearer", ["c", "d"], [], "c d"),
        ("Bearer", None, [], None),
        ("Bearer", ["c"], ["offline_access"], "c offline_access"),
        ('Bearer scope="a offline_access"', None, [], "a"),
    ],
)
def test_which_scopes_are_asked_for(
    header: str, supported: list[str] | None, listed: list[str], asked: str | None
) -> None:
    there = world(prm={"scopes_supported": supported}, scopes_supported=listed)
    refuse(there, session(there), header)
    assert there.visited[0].get("scope") == asked


MORE = 'Bearer error="insufficient_scope", scope="write"'


def test_a_step_up_asks_for_the_union() -> None:
    there = world()
    made = session(there)
    refuse(there, made, 'Bearer scope="read"')
    assert refuse(there, made, MORE, 403) is True
    assert there.visited[-1]["scope"] == "read write"
    assert sent(made, there) == "Bearer secret-token-2"


def test_a_step_up_that_gives_nothing_ends() -> None:
    there = world(Tokens(scope="read"))
    made = session(there)
    refuse(there, made, 'Bearer scope="read"')
    refuse(there, made, MORE, 403)
    refuse(there, made, MORE, 403)
    with pytest.raises(AuthorizationError, match="are not given"):
        refuse(there, made, MORE, 403)
    assert len(there.visited) == 3


def test_scopes_that_are_there_are_not_asked_for_again() -> None:
    there = world()
    made = session(there)
    refuse(there, made, 'Bearer scope="read"')
    refuse(there, made, MORE, 403)
    with pytest.raises(AuthorizationError, match="has already"):
        refuse(there, made, MORE, 403, tries=2)


@pytest.mark.parametrize("header", ["", "Bearer", 'Bearer error="invalid_token"'])
def test_another_403_is_the_servers_last_word(header: str) -> None:
    there = world()
    made = session(there)
    refuse(there, made)
    assert refuse(there, made, header, 403) is False
    assert len(there.visited) == 1


def test_a_token_refused_at_once_ends() -> None:
    there = world()
    made = session(there)
    refuse(there, made)
    with pytest.raises(AuthorizationError, match="just given: it is blue"):
        refuse(there, made, 'Bearer error="invalid_token", error_description="it is blue"', tries=2)
    assert len(there.visited) == 1


def test_a_refusal_of_an_older_token_costs_nothing() -> None:
    there = world()
    made = session(there)
    before = made.serial
    refuse(there, made)
    assert there.play(made.challenged(401, BEARER, 1, before)) is True
    assert len(there.visited) == 1
