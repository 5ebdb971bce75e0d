"""What a state machine did that it may not do (rule T7)."""

from __future__ import annotations

from typing import Any


class Misuse(Exception):
    """A callback's value or action that has no meaning here.

    term: OTP's name for it and the value, e.g. ``("bad_action_from_state_function", X)``;
    the machine ends with ``(term, Stack)``, as Erlang's ``error(Term)`` does.
    """

    def __init__(self, term: tuple[str, Any]) -> None:
        super().__init__(term)
        self.term = term
