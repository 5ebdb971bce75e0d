"""Schemas from hints, and arguments checked and converted by them."""

import enum
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from erlmcp_py.server import Context
from erlmcp_py.server.schema import (
    Arguments,
    InvalidArguments,
    Output,
    arguments_of,
    compile_schema,
    output_of,
    text_arguments_of,
)
from erlmcp_py.server.signature import read_handler


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A place."""

    x: float
    y: float = 0.0


class Box(Struct):
    corner: Point
    size: Annotated[int, Meta(gt=0)]


class Options(TypedDict):
    deep: bool
    tag: NotRequired[str]


class Tree(Struct):
    value: int
    children: list["Tree"] = []


def taking(hint: Any, default: Any = ...) -> Arguments:
    """The arguments of a function with one parameter `a` of this hint."""

    def function(a: Any) -> None: ...

    function.__annotations__["a"] = hint
    if default is not ...:
        function.__defaults__ = (default,)
    return arguments_of(read_handler(function, timeout=1))


def returning(hint: Any) -> Output | None:
    def function() -> Any: ...

    function.__annotations__["return"] = hint
    return output_of(read_handler(function, timeout=1))


POINT = {
    "title": "Point",
    "description": "A place.",
    "type": "object",
    "properties": {"x": {"type": "number"}, "y": {"type": "number", "default": 0.0}},
    "required": ["x"],
}


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (
            tuple[int, str],
            {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "items": False,
            },
        ),
        (Literal["b", "a"], {"enum": ["a", "b"]}),
        (Annotated[int, Meta(ge=1, le=9)], {"type": "integer", "minimum": 1, "maximum": 9}),
        (
            Annotated[str, Meta(description="Why.", pattern="^a")],
            {"type": "string", "description": "Why.", "pattern": "^a"},
        ),
        (
            Annotated[str, Meta(extra_json_schema={"x-mcp-header": "Region"})],
            {"type": "string", "x-mcp-header": "Region"},
        ),
        (Color, {"$ref": "#/$defs/Color"}),
        (Point, {"$ref": "#/$defs/Point"}),
    ],
)
def test_hint_to_schema(hint: Any, schema: dict[str, Any]) -> None:
    assert taking(hint).schema["properties"]["a"] == schema


def test_the_whole_schema() -> None:
    def move(ctx: Context, to: Point, color: Color = Color.RED, options: Options | None = None):
        """Move.

        Args:
            to: Where to.
            color: In which colour.
        """

    schema = arguments_of(read_handler(move, timeout=1)).schema
    definitions = schema.pop("$defs")
    assert schema == {
        "type": "object",
        "properties": {
            "to": {"$ref": "#/$defs/Point", "description": "Where to."},
            "color": {
                "$ref": "#/$defs/Color",
                "description": "In which colour.",
                "default": "red",
            },
            "options": {
                "anyOf": [{"$ref": "#/$defs/Options"}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["to"],
        "additionalProperties": False,
    }
    assert list(schema["properties"]) == ["to", "color", "options"], "in the order of the signature"
    assert definitions["Point"] == POINT
    assert set(definitions) == {"Point", "Color", "Options"}


def test_the_hint_wins_over_the_docstring() -> None:
    def say(text: Annotated[str, Meta(description="From the hint.")]) -> None:
        """Say.

        Args:
            text: From the docstring.
        """

    schema = arguments_of(read_handler(say, timeout=1)).schema
    assert schema["properties"]["text"]["description"] == "From the hint."


@pytest.mark.parametrize(
    ("hint", "sent", "expected"),
    [
        (float, "3", 3.0),
        (int, "3.0", 3),
        (Color, '"red"', Color.RED),
        (Point, '{"x":1}', Point(1.0)),
        (Box, '{"corner":{"x":1,"y":2},"size":3}', Box(Point(1.0, 2.0), 3)),
        (Options, '{"deep":true}', {"deep": True}),
        (set[int], "[1,2]", {1, 2}),
        (tuple[int, str], '[1,"a"]', (1, "a")),
        (dict[int, str], '{"1":"a"}', {1: "a"}),
        (bytes, '"aGk="', b"hi"),
        (Tree, '{"value":1,"children":[{"value":2}]}', Tree(1, [Tree(2)])),
        (int | str, '"3"', "3"),
        (Any, '{"x":[null]}', {"x": [None]}),
    ],
)
def test_arguments_arrive_in_their_types(hint: Any, sent: str, expected: Any) -> None:
    value = taking(hint).parse(f'{{"a":{sent}}}'.encode())["a"]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("hint", "sent", "words"),
    [
        (int, '{"a":"3"}', ["a: ", '"3"', "integer"]),
        (int, '{"a":true}', ["a: ", "true", "integer"]),
        (int, "{}", ["missing required argument 'a'"]),
        (int, '{"a":1,"aa":2}', ["unknown argument 'aa' (did you mean 'a'?)"]),
        (int, '{"a":1,"quite":2}', ["unknown argument 'quite'"]),
        (list[Point], '{"a":[{"x":1},{"x":"y"}]}', ["a[1].x: ", '"y"', "number"]),
        (Point, '{"a":{"y":1}}', ["a: missing required property 'x'"]),
        (Annotated[int, Meta(ge=1)], '{"a":0}', ["a: ", "0 is less than the minimum of 1"]),
        (Color, '{"a":"green"}', ["a: ", "green", "red"]),
        (int, "[]", ["[]", "object"]),
        (int, "null", ["null", "object"]),
        (int, "{", ["truncated"]),
        (
            Annotated[str, Meta(max_length=3)],
            '{"a":"' + "x" * 10_000 + '"}',
            ["a: ", "…", "3 characters"],
        ),
        (bytes, '{"a":"!"}', ["base64"]),
        (int, '{"a":' + "9" * 5000 + "}", ["out of range"]),
    ],
)
def test_errors_name_path_and_expectation(hint: Any, sent: str, words: list[str]) -> None:
    with pytest.raises(InvalidArguments) as caught:
        taking(hint).parse(sent.encode())
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    for word in words:
        assert word in text


def test_many_errors_are_counted() -> None:
    with pytest.raises(InvalidArguments, match=r"a\[4\].*; and 45 more$"):
        taking(list[int]).parse(msgspec.json.encode({"a": ["x"] * 50}))


def test_a_call_full_of_errors_is_refused_by_its_first_one() -> None:
    with pytest.raises(InvalidArguments, match=r'^a\[0\]: "x" is not of type "integer"$'):
        taking(list[int]).parse(msgspec.json.encode({"a": ["x"] * 1_000_000}))


def test_errors_come_by_path() -> None:
    def function(a: list[int], b: int, c: int) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        arguments_of(read_handler(function, timeout=1)).parse(
            msgspec.json.encode({"d": 1, "b": "x", "a": [*range(10), "x", "y"]})
        )
    assert [part.partition(":")[0] for part in str(caught.value).split("; ")] == [
        "missing required argument 'c'",
        "unknown argument 'd'",
        "a[10]",
        "a[11]",
        "b",
    ]


def test_many_unknown_names_stay_on_one_line() -> None:
    with pytest.raises(InvalidArguments) as caught:
        taking(int).parse(msgspec.json.encode({f"x{n}": n for n in range(100_000)}))
    assert len(str(caught.value)) <= 200


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    with pytest.raises(InvalidArguments):
        taking(Any).parse(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_defaults_stay_with_the_function() -> None:
    arguments = taking(list[int], [])
    assert arguments.parse(b"{}") == {}
    assert arguments.schema["properties"]["a"]["default"] == []


@pytest.mark.parametrize(
    ("hint", "default", "word"),
    [
        (int, None, "default None does not fit the hint"),
        (Annotated[int, Meta(ge=1)], 0, "default 0 does not fit"),
        (Any, object(), "does not fit"),
    ],
)
def test_a_default_that_contradicts_its_hint(hint: Any, default: Any, word: str) -> None:
    with pytest.raises(TypeError, match=f"test_schema.py:.*'a': .*{word}"):
        taking(hint, default)


@pytest.mark.parametrize(
    "hint",
    [complex, Callable[[], int], Iterator[int], list[complex], object, Point | Box],
)
def test_hints_without_a_schema(hint: Any) -> None:
    with pytest.raises(TypeError, match=r"test_schema\.py:\d+: parameter 'a': .*not|may not"):
        taking(hint)


def test_two_types_of_one_name() -> None:
    def make() -> type:
        class Point(Struct):
            z: int

        return Point

    def function(a: Point, b: Any) -> None: ...

    function.__annotations__["b"] = make()
    with pytest.raises(TypeError, match="two different types are called 'Point'"):
        arguments_of(read_handler(function, timeout=1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
ARGUMENTS = [taking(hint) for hint in (int, list[Point], Box, Options, Tree, int | None, set[int])]


@given(st.sampled_from(ARGUMENTS), JSON)
def test_any_argument_is_converted_or_refused(arguments: Arguments, value: Any) -> None:
    try:
        parsed = arguments.parse(msgspec.json.encode({"a": value}))
    except InvalidArguments:
        return
    assert arguments.parse(msgspec.json.encode({"a": parsed["a"]})) == parsed


class TestTextArguments:
    def test_strings_become_what_the_hints_say(self) -> None:
        def prompt(count: int, ratio: float = 1.0, exact: bool = False, color: Color = Color.RED):
            pass

        arguments = text_arguments_of(read_handler(prompt, timeout=1))
        assert arguments.parse(
            {"count": "3", "ratio": "0.5", "exact": "true", "color": "blue"}
        ) == {
            "count": 3,
            "ratio": 0.5,
            "exact": True,
            "color": Color.BLUE,
        }
        assert arguments.parse({"count": "3"}) == {"count": 3}

    @pytest.mark.parametrize(
        ("values", "word"),
        [
            ({}, "missing required argument 'count'"),
            ({"count": "x"}, "count"),
            ({"count": "1", "colour": "red"}, "'colour' (did you mean 'color'?)"),
            ({"count": "1", "color": "green"}, "green"),
        ],
    )
    def test_errors(self, values: dict[str, str], word: str) -> None:
        def prompt(count: int, color: Color = Color.RED) -> None: ...

        with pytest.raises(InvalidArguments) as caught:
            text_arguments_of(read_handler(prompt, timeout=1)).parse(values)
        assert word in str(caught.value)

    def test_many_unknown_names_stay_on_one_line(self) -> None:
        def prompt(count: int = 1) -> None: ...

        arguments = text_arguments_of(read_handler(prompt, timeout=1))
        with pytest.raises(InvalidArguments) as caught:
            arguments.parse({f"{n}" * 1000: "" for n in range(10_000)})
        assert len(str(caught.value)) <= 200

    @pytest.mark.parametrize("hint", [list[str], Point, dict[str, str], list[int] | None])
    def test_hints_that_no_string_can_be(self, hint: Any) -> None:
        def prompt(a: Any) -> None: ...

        prompt.__annotations__["a"] = hint
        with pytest.raises(TypeError, match="parameter 'a': comes as a string"):
            text_arguments_of(read_handler(prompt, timeout=1))


class TestOutput:
    @pytest.mark.parametrize(
        "hint", [None, str, bytes, Any, object, list, list[Any], tuple[Any, ...]]
    )
    def test_text_has_no_schema(self, hint: Any) -> None:
        assert returning(hint) is None

    def test_an_object_is_the_root(self) -> None:
        output = returning(Point)
        assert output is not None
        assert (output.schema, output.legacy_schema, output.wrapped) == (POINT, POINT, False)

    def test_a_recursive_object_keeps_its_definition(self) -> None:
        output = returning(Tree)
        assert output is not None
        assert output.schema["type"] == "object"
        assert output.validator.first_error({"value": 1, "children": [{"value": "x"}]}) is not None
        assert output.validator.first_error({"value": 1, "children": [{"value": 2}]}) is None

    @pytest.mark.parametrize("hint", [int, list[Point], Point | None, Color, Literal[1, 2]])
    def test_other_values_are_wrapped_for_legacy_clients(self, hint: Any) -> None:
        output = returning(hint)
        assert output is not None
        assert output.wrapped
        assert output.schema.get("type") != "object"
        assert output.legacy_schema is not None
        assert output.legacy_schema["type"] == "object"
        assert output.legacy_schema["required"] == ["result"]

    def test_a_hint_without_a_schema(self) -> None:
        with pytest.raises(TypeError, match="the return hint"):
            returning(complex)

    def test_nan_is_no_json(self) -> None:
        output = returning(float)
        assert output is not None
        assert output.validator.first_error(math.nan) is not None


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "nope"}, "nope"),
        ({"$ref": "https://example.com/schema.json"}, "within the schema only"),
        ({"$ref": "file:///etc/passwd"}, "within the schema only"),
        ({"$ref": "#/$defs/missing"}, "missing"),
        ({"pattern": "["}, "regex"),
    ],
)
def test_schemas_that_do_not_compile(schema: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=f"here.py:3: not a valid JSON Schema 2020-12: .*{word}"):
        compile_schema(schema, "here.py:3")


def test_schemas_are_json() -> None:
    assert json.loads(json.dumps(taking(Box).schema)) == taking(Box).schema
