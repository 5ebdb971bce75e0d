"""What is typed behind `erlmcp-node call … TOOL`, by the tool's schema."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.cli.client.arguments import BadArgument, read_arguments

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "count": {"type": "integer"},
        "flag": {"type": "boolean"},
        "list": {"type": "array"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "choice": {"enum": ["1", "2"]},
        "level": {"enum": [1, 2]},
        "point": {"$ref": "#/$defs/Point"},
        "anything": {},
    },
    "$defs": {"Point": {"type": "object"}},
}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("text=5", "5"),
        ("text=", ""),
        ("text=a=b:=c", "a=b:=c"),
        ("text:=5", 5),
        ("number=1.5", 1.5),
        ("count=-7", -7),
        ("flag=true", True),
        ('list=["a", 1]', ["a", 1]),
        ("either=5", "5"),
        ("either:=5", 5),
        ("maybe=5", 5),
        ("maybe=null", None),
        ("choice=1", "1"),
        ("level=1", 1),
        ('point={"x": 1}', {"x": 1}),
        ("anything=5", "5"),
        ("unknown=5", "5"),
    ],
)
def test_a_value_is_what_the_schema_wants(typed: str, value: Any) -> None:
    key = typed.partition("=")[0].rstrip(":")
    arguments = read_arguments([typed], SCHEMA)
    assert arguments == {key: value}
    assert type(arguments[key]) is type(value)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (["count=many"], "count: 'many' is no integer"),
        (["maybe=x"], "maybe: 'x' is no integer or null"),
        (["text:=hello"], "text: 'hello' is no JSON"),
        (["hello"], "'hello': write key=value, or key:=JSON"),
        (["=5"], "'=5': write key=value, or key:=JSON"),
        (["text=a", "text=b"], "'text' is given twice"),
    ],
)
def test_what_is_no_argument_is_told(typed: list[str], problem: str) -> None:
    with pytest.raises(BadArgument) as told:
        read_arguments(typed, SCHEMA)
    assert str(told.value).startswith(problem)


def test_a_schema_that_refers_to_itself_says_nothing() -> None:
    loop = {"properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": {"$ref": "#/$defs/X"}}}
    assert read_arguments(["x=5"], loop) == {"x": "5"}
