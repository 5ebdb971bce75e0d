from __future__ import annotations

from erlmcp_py.console.looks import Looks
from supervisors import Pid

A, B = Pid("n", 1, 0), Pid("n", 2, 0)


def test_the_first_look_counts_from_the_start() -> None:
    assert Looks().take("me", 5.0, {A: 7}) == (None, {A: 7})


def test_each_session_compares_with_its_own_last_look() -> None:
    looks = Looks()
    looks.take("me", 1.0, {A: 7})
    looks.take("you", 2.0, {A: 8})
    assert looks.take("me", 4.0, {A: 10, B: 2}) == (3.0, {A: 3, B: 2})
    assert looks.take("you", 4.5, {A: 10}) == (2.5, {A: 2})


def test_the_session_that_looked_longest_ago_is_forgotten() -> None:
    looks = Looks(capacity=2)
    for session in ("a", "b", "a", "c"):
        looks.take(session, 0.0, {})
    assert looks.take("a", 1.0, {})[0] == 1.0
    assert looks.take("b", 1.0, {})[0] is None
