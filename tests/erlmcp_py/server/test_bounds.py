"""What hostile schemas and values may cost: never more than a limit that is checked beforehand."""

from typing import Any

import pytest

from erlmcp_py.server import bounds
from erlmcp_py.server.bounds import fanout_of, is_describable
from erlmcp_py.server.validation import TOO_DEEP, compile_schema

EXPRESSION: dict[str, Any] = {
    "$ref": "#/$defs/expression",
    "$defs": {
        "expression": {
            "anyOf": [
                {"type": "integer"},
                {"type": "object", "properties": {"neg": {"$ref": "#/$defs/expression"}}},
                {"type": "object", "properties": {"neg": {"$ref": "#/$defs/expression"}}},
            ]
        }
    },
}


def negated(times: int, value: Any) -> Any:
    for _ in range(times):
        value = {"neg": value}
    return value


def doubling(levels: int) -> dict[str, Any]:
    """A small schema that applies 2 ** levels subschemas to one value."""
    steps = {
        f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}, {"$ref": f"#/$defs/s{n + 1}"}]}
        for n in range(levels)
    }
    return {"$ref": "#/$defs/s0", "$defs": {**steps, f"s{levels}": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "ways"),
    [
        (True, 1),
        ({}, 1),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, 1),
        ({"anyOf": [{}, {}, {}]}, 3),
        ({"allOf": [{"anyOf": [{}, {}]}], "if": {}, "then": {}, "else": {}}, 5),
        ({"dependentSchemas": {"a": {}, "b": {}}, "not": {}}, 3),
        ({"$ref": "#"}, 1),
        ({"$ref": "#x", "$defs": {"x": {"$anchor": "x", "oneOf": [{}, {}]}}}, 2),
        ({"$ref": "urn:x", "$defs": {"x": {"$id": "urn:x", "oneOf": [{}, {}]}}}, 2),
        ({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"oneOf": [{}, {}]}}}, 2),
        ({"enum": [{"anyOf": [1, 2, 3]}], "const": {"oneOf": [1, 2]}}, 1),
        (EXPRESSION, 3),
        (doubling(5), 32),
    ],
)
def test_how_many_subschemas_apply(schema: Any, ways: int) -> None:
    assert fanout_of(schema) == ways


def test_a_schema_that_multiplies_is_refused() -> None:
    compile_schema(doubling(13), "here")
    with pytest.raises(ValueError, match="more than 10000 subschemas of the schema apply"):
        compile_schema(doubling(14), "here.py:1")


def test_a_schema_of_too_many_parts_is_refused() -> None:
    schema = {"properties": {f"p{n}": {} for n in range(bounds.MAX_SUBSCHEMAS)}}
    with pytest.raises(ValueError, match="more than 10000 subschemas"):
        compile_schema(schema, "here.py:1")


def test_a_schema_that_is_too_deep_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(1000):
        schema = {"properties": {"a": schema}}
    with pytest.raises(ValueError, match=r"here\.py:1: not a valid"):
        compile_schema(schema, "here.py:1")
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(5000)}
    with pytest.raises(ValueError, match=r"here\.py:1: not a valid"):
        compile_schema({"$ref": "#/$defs/d0", "$defs": chain | {"d5000": {}}}, "here.py:1")


def test_what_is_wrong_is_said_while_that_is_cheap() -> None:
    validator = compile_schema(EXPRESSION, "here")
    assert validator.is_valid(negated(120, 3))
    near = negated(3, "x")
    assert validator.first_error(near) not in (None, TOO_DEEP)
    assert validator.all_errors(near) != TOO_DEEP
    # Describing this one would take the validator years.
    far = negated(120, "x")
    assert validator.first_error(far) == TOO_DEEP
    assert validator.all_errors(far) == TOO_DEEP


def test_depth_alone_does_no_harm() -> None:
    plain = {"properties": {"neg": {"$ref": "#"}}, "type": "object"}
    problem = compile_schema(plain, "here").first_error(negated(100, "x"))
    assert problem is not None
    assert problem.endswith('"x" is not of type "object"')


@pytest.mark.parametrize(
    ("fanout", "depth", "told"), [(1, 100, True), (2, 12, True), (2, 13, False), (4096, 1, True)]
)
def test_the_limit_of_describing(fanout: int, depth: int, told: bool) -> None:
    assert is_describable(fanout, negated(depth, 1)) is told


def test_patterns_do_not_explode() -> None:
    for pattern in (r"^(a+)+$", r"^(a+)+\1$", r"^(?=(a+)+b)"):
        assert not compile_schema({"pattern": pattern}, "here").is_valid("a" * 5000 + "!")
