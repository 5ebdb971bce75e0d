"""What a state machine did that it may not do (rule T7)."""

from __future__ import annotations

from typing import Any

from .._errors import ErrorTerm


class Misuse(ErrorTerm):
    """A callback's value or action that has no meaning here.

    term: OTP's name for it and the value, e.g. ``("bad_action_from_state_function", X)``;
    the machine ends with ``(term, Stack)``, as Erlang's ``error(Term)`` does.
    """

    term: tuple[str, Any]
