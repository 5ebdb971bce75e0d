"""The session as a machine: tokens that end, and what takes their place."""

from __future__ import annotations

import msgspec
import pytest

from erlmcp_py.auth.client.actions import Fetched
from erlmcp_py.auth.client.errors import AuthorizationError

from .playing import answer
from .sessions import (
    META,
    PRM,
    REGISTER,
    TOKEN,
    URL,
    Tokens,
    refreshed,
    refuse,
    sent,
    session,
)


@pytest.mark.parametrize(("later", "renewed"), [(3569, False), (3571, True), (9999, True)])
def test_a_token_is_renewed_shortly_before_its_end(later: float, renewed: bool) -> None:
    there, tokens, made = refreshed()
    there.now += later
    assert made.ready(there.now) is not renewed
    there.play(made.prepare())
    assert len(tokens.forms) == 1 + renewed
    if renewed:
        asked = tokens.forms[-1]
        assert asked["grant_type"] == "refresh_token"
        assert asked["refresh_token"] == "refresh-one"
        assert asked["resource"] == URL


def test_a_rotated_refresh_token_takes_the_place_of_the_old_one() -> None:
    there, tokens, made = refreshed()
    tokens.more["refresh_token"] = "refresh-two"
    there.now += 4000
    there.play(made.prepare())
    there.now += 4000
    there.play(made.prepare())
    assert [asked.get("refresh_token") for asked in tokens.forms[1:]] == [
        "refresh-one",
        "refresh-two",
    ]


def test_a_refresh_token_that_is_not_replaced_stays() -> None:
    there, tokens, made = refreshed()
    del tokens.more["refresh_token"]
    for _ in range(2):
        there.now += 4000
        there.play(made.prepare())
    assert [asked.get("refresh_token") for asked in tokens.forms[1:]] == ["refresh-one"] * 2


def test_a_refresh_token_that_is_over_leads_to_the_person() -> None:
    there, _, made = refreshed()
    there.pages[TOKEN] = answer({"error": "invalid_grant"}, 400)
    there.now += 4000
    there.play(made.prepare())
    assert sent(made, there) is None
    there.pages[TOKEN] = Tokens()
    assert refuse(there, made) is True
    assert len(there.visited) == 2
    assert sent(made, there) == "Bearer secret-token-1"


def test_a_registration_that_was_deleted_is_made_anew() -> None:
    there, _, made = refreshed()
    there.pages[TOKEN] = answer({"error": "invalid_client"}, 401)
    there.now += 4000
    there.play(made.prepare())
    there.pages[TOKEN] = Tokens()
    refuse(there, made)
    assert there.urls.count(REGISTER) == 2


def test_a_token_endpoint_that_is_down_matters_when_the_token_has_ended() -> None:
    there, _, made = refreshed()
    there.pages[TOKEN] = Fetched(503)
    there.now += 3580
    there.play(made.prepare())
    assert sent(made, there) is not None
    there.now += 21
    with pytest.raises(AuthorizationError, match="HTTP 503"):
        there.play(made.prepare())


def test_a_401_is_first_met_with_the_refresh_token_then_with_the_person() -> None:
    there, tokens, made = refreshed()
    assert refuse(there, made) is True
    assert len(there.visited) == 1
    assert refuse(there, made, tries=2) is True
    assert len(there.visited) == 2
    with pytest.raises(AuthorizationError, match="just given"):
        refuse(there, made, tries=3)
    assert len(tokens.forms) == 3


def test_a_refresh_token_does_not_go_to_another_issuer() -> None:
    there, tokens, made = refreshed()
    other = "https://other.example"
    document = msgspec.json.decode(there.pages[META].body)  # type: ignore[union-attr]
    theirs = Tokens()
    moved = {**document, "issuer": other, "token_endpoint": f"{other}/token"}
    there.pages[f"{other}/.well-known/oauth-authorization-server"] = answer(moved)
    there.pages[f"{other}/token"] = theirs
    there.pages[PRM] = answer({"resource": URL, "authorization_servers": [other]})
    assert refuse(there, made) is True
    assert [asked["grant_type"] for asked in theirs.forms] == ["authorization_code"]
    assert len(tokens.forms) == 1


def test_a_grant_is_taken_up_after_a_restart() -> None:
    there, _, _ = refreshed()
    assert sent(session(there), there) == "Bearer secret-token-1"


def test_what_another_process_has_renewed_is_not_renewed_again() -> None:
    there, tokens, one = refreshed()
    two = session(there)
    there.now += 4000
    there.play(one.prepare())
    there.play(two.prepare())
    assert sent(two, there) == sent(one, there) == "Bearer secret-token-2"
    assert len(tokens.forms) == 2
