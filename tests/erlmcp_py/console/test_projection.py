from __future__ import annotations

import dataclasses
import enum
from collections import OrderedDict, deque, namedtuple
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.console.projection import Bounds, project
from supervisors import Pid


class Color(enum.Enum):
    RED = 1


class Point(msgspec.Struct):
    x: int
    y: Any


@dataclasses.dataclass(slots=True)
class Box:
    held: Any


class Slots:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a = [1]


class Plain:
    seen = "class attributes are not state"

    def __init__(self) -> None:
        self.held = {"x": 1}

    @property
    def computed(self) -> int:
        raise RuntimeError("a property was called")


class Hostile(dict):  # type: ignore[type-arg]
    """Every method a careless printer would call raises."""

    def __repr__(self) -> str:
        raise RuntimeError("repr was called")

    def __iter__(self) -> Any:
        raise RuntimeError("iter was called")

    def items(self) -> Any:
        raise RuntimeError("items was called")

    def __len__(self) -> int:
        raise RuntimeError("len was called")


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("repr was called")

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("getattribute was called")


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        (2**63, "<int of 64 bits>"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (b"hello", "<5 bytes: 68656c6c6f>"),
        (Pid("n", 4, 0), "<n.4.0>"),
        ((1, 2), [1, 2]),
        (deque([1]), [1]),
        ({1: "a", (2, 3): "b"}, {"1": "a", "[2, 3]": "b"}),
        (OrderedDict(a=1), {"a": 1}),
        ({7}, {"<set>": [7]}),
        (Color.RED, "Color.RED"),
        (Point(1, None), {"<Point>": {"x": 1, "y": None}}),
        (Box([1]), {"<Box>": {"held": [1]}}),
        (Pair(1, 2), {"<Pair>": {"left": 1, "right": 2}}),
        (ValueError("bad", 3), {"<ValueError>": ["bad", 3]}),
        (Hostile(a=1), {"a": 1}),
        (len, "<function builtins.len>"),
        (int, "<class int>"),
        ("\ud800", "\\ud800"),
    ],
)
def test_each_kind_of_value_has_its_form(value: object, shown: object) -> None:
    assert project(value).value == shown


def test_an_ordinary_object_shows_what_it_stores() -> None:
    assert project(Plain()).value == {"<Plain>": {"held": {"x": 1}}}
    assert project(Slots()).value == {"<Slots>": {"a": [1], "b": "<unset>"}}


def test_an_opaque_object_is_its_class_and_its_code_does_not_run() -> None:
    assert project(Unprintable()).value.endswith("Unprintable>")
    assert project(object()).value == "<object>"


def test_a_cycle_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    shown = project(loop)
    assert shown.truncated
    msgspec.json.encode(shown.value)


def test_what_is_left_out_is_counted() -> None:
    shown = project({"rows": list(range(100)), "text": "x" * 1000}, Bounds(items=3, text=10))
    assert shown.truncated
    assert shown.value["rows"] == [0, 1, 2, "… (+97 more)"]
    assert shown.value["text"] == "x" * 10 + "… (+990 characters)"


def test_a_whole_value_is_not_called_shortened() -> None:
    assert not project({"a": [1, "b", (None, {2})]}).truncated


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(Unprintable),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(Box, inner)
        | st.builds(Point, st.integers(), inner)
        | st.builds(ValueError, inner)
    ),
    max_leaves=30,
)


@given(values, st.builds(Bounds, *[st.integers(1, 5)] * 3, st.integers(1, 50)))
def test_any_value_becomes_bounded_json(value: object, bounds: Bounds) -> None:
    encoded = msgspec.json.encode(project(value, bounds).value)
    # Every value shown costs at most its text, and a note where something was left out.
    assert len(encoded) < 400 * (bounds.total + 1) * (bounds.items + 1)
