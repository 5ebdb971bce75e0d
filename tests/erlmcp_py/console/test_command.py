from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.console.command import Arg, Command, CommandError


async def nothing(*_: Any) -> None:
    return None


COMMAND = Command(
    "cook",
    "make food",
    nothing,
    (
        Arg("dish", "what", required=True),
        Arg("hours", "how long", "float", default=1.0, minimum=0.5, maximum=3),
        Arg("style", "how", default="fry", choices=("fry", "boil")),
        Arg("loud", "noise", "bool", default=False),
        Arg("eggs", "how many", "int", default=2, minimum=1),
    ),
)


def test_defaults_are_filled_in() -> None:
    assert COMMAND.check({"dish": "soup"}) == {
        "dish": "soup",
        "hours": 1.0,
        "style": "fry",
        "loud": False,
        "eggs": 2,
    }


def test_a_whole_number_will_do_for_a_float() -> None:
    hours = COMMAND.check({"dish": "soup", "hours": 2})["hours"]
    assert (hours, type(hours)) == (2.0, float)


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ({}, "cook needs DISH; usage: cook DISH"),
        ({"dish": 3}, "dish must be of type str, not 3"),
        ({"dish": "x", "hour": 1}, "takes no 'hour'; did you mean 'hours'"),
        ({"dish": "x", "hours": "1"}, "hours must be of type float"),
        ({"dish": "x", "hours": 9}, "hours must be between 0.5 and 3, not 9"),
        ({"dish": "x", "hours": float("nan")}, "hours must be between"),
        ({"dish": "x", "style": "raw"}, "style must be one of fry, boil"),
        ({"dish": "x", "loud": 1}, "loud must be of type bool"),
        ({"dish": "x", "eggs": True}, "eggs must be of type int"),
        ({"dish": "x", "eggs": 0}, "eggs must be between 1 and inf"),
    ],
)
def test_a_bad_argument_is_named(args: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint) as error:
        COMMAND.check(args)
    assert error.value.code == "bad_argument"
