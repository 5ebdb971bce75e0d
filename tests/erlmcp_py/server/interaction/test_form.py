"""Forms: which types a client can ask for, as what, and what comes back."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from msgspec import Meta

from erlmcp_py.protocol.elicitation import form_fields
from erlmcp_py.server.interaction.form import form_of
from erlmcp_py.server.interaction.question import Unusable


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Person(msgspec.Struct):
    """Who are you?"""

    name: Annotated[str, Meta(title="Your name", min_length=1)]
    mail: Annotated[str, Meta(extra_json_schema={"format": "email"})]
    colour: Colour
    kind: Literal["a", "b"] = "a"
    age: int = 3
    born: datetime.date | None = None
    tags: list[Literal["x", "y"]] = []
    ok: bool = True
    weight: float | None = None


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Choice(TypedDict):
    take: bool


def test_the_schema_is_flat_and_one_that_mcp_allows():
    schema = form_of(Person).schema
    assert form_fields(schema).keys() == schema["properties"].keys()
    assert schema["required"] == ["name", "mail", "colour"]
    assert schema["properties"]["name"] == {
        "title": "Your name",
        "type": "string",
        "minLength": 1,
    }
    assert schema["properties"]["mail"] == {"type": "string", "format": "email"}
    assert sorted(schema["properties"]["colour"]["enum"]) == ["blue", "red"]
    assert schema["properties"]["kind"] == {"type": "string", "enum": ["a", "b"], "default": "a"}
    assert schema["properties"]["born"] == {"type": "string", "format": "date"}
    assert schema["properties"]["weight"] == {"type": "number"}
    assert "$ref" not in str(schema)
    assert "$defs" not in schema


def test_what_comes_back_is_an_instance_with_its_defaults():
    content = {"name": "Ada", "mail": "a@b.org", "colour": "red", "born": "1815-12-10"}
    assert form_of(Person).read(content) == Person(
        "Ada", "a@b.org", Colour.RED, born=datetime.date(1815, 12, 10)
    )
    assert form_of(Point).read({"x": 1}) == Point(1.0)
    assert form_of(Choice).read({"take": True}) == {"take": True}


def test_a_schema_by_hand_is_passed_on_and_its_defaults_filled_in():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "Ada"},
            "many": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}},
        },
    }
    form = form_of(schema)
    assert form.schema == schema
    assert form.read({"many": ["a"]}) == {"name": "Ada", "many": ["a"]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, "missing"),
        ({"x": "1"}, "x"),
        (12345, "object"),
        (None, "object"),
        ([], "object"),
    ],
)
def test_an_answer_that_does_not_fit_is_unusable_and_says_why(content, problem):
    with pytest.raises(Unusable, match=problem):
        form_of(Point).read(content)


class Nested(msgspec.Struct):
    point: Point


class Listed(msgspec.Struct):
    numbers: list[int]


class Loose(msgspec.Struct):
    anything: Any


@pytest.mark.parametrize(
    ("type_", "problem"),
    [
        (int, "int is no form"),
        (dict[str, int], "is no form"),
        (list[str], "is no form"),
        (complex, "complex is no form"),
        (Nested, "Nested.point"),
        (Listed, r"Listed.numbers\[\]|Listed.numbers"),
        (Loose, "Loose.anything"),
    ],
)
def test_types_that_no_dialog_can_show_are_refused_by_name(type_, problem):
    with pytest.raises(TypeError, match=problem):
        form_of(type_)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": True}},
    ],
)
def test_schemas_that_no_dialog_can_show_are_refused(schema):
    with pytest.raises(ValueError, match="elicitation's schema"):
        form_of(schema)
