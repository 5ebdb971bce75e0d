"""Values print as Erlang prints them."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import Pid, Ref
from supervisors._errors import Stack

from .terms import ErlangError, Text, render

PID, OTHER = Pid("node", 1, 0), Pid("node", 2, 0)


@pytest.mark.parametrize(
    ("term", "printed"),
    [
        ("normal", "normal"),
        ("a#1", "'a#1'"),
        ("EXIT", "'EXIT'"),
        ("after", "'after'"),
        ("it's", r"'it\'s'"),
        ("", "''"),
        (None, "undefined"),
        (True, "true"),
        (-1, "-1"),
        (0.5, "0.5"),
        ((), "{}"),
        (("shutdown", ["x", 1]), "{shutdown,[x,1]}"),
        ({"id": ("f",)}, "#{id => {f}}"),
        (Text('say "hi"\n'), r'"say \"hi\"\n"'),
        ((PID, OTHER), "{'a#1','$pid'}"),
        (Ref(), "'$ref'"),
        ((ErlangError("bad"), Stack(ErlangError("bad"))), "{bad,'$stack'}"),
        (ValueError("no"), "'ValueError'"),
        (print, "'$fun'"),
    ],
)
def test_render(term: Any, printed: str) -> None:
    assert render(term, {PID: "a#1"}) == printed


def test_what_has_no_term_is_refused() -> None:
    with pytest.raises(TypeError, match="no Erlang term"):
        render(object(), {})
