"""What the block at the head of a SKILL.md says, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.server.skills.errors import BadSkill
from erlmcp_py.server.skills.frontmatter import read_frontmatter

HEAD = "name: a\ndescription: d\n"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff")
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(categories=["Ll"]), min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


def block(text: str) -> dict[str, Any]:
    return read_frontmatter(f"---\n{HEAD}{text}\n---\nrest", "a")


def field(text: str) -> Any:
    return block(f"x: {text}")["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("2026-01-15", "2026-01-15"),
        ("12:30:45", "12:30:45"),
        ("010", 10),
        ("0o10", 8),
        ("0x10", 16),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("", None),
        ('"7"', "7"),
        ("<<", "<<"),
        ("{a: [1, b]}", {"a": [1, "b"]}),
        ("|\n  two\n  lines", "two\nlines"),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert field(text) == value
    assert type(field(text)) is type(value)


@given(JSON)
def test_what_json_can_say_comes_back(value: Any) -> None:
    # A JSON text is YAML 1.2.
    import json

    assert field(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "does not begin"),
        ("# Title\n---\n", "does not begin"),
        ("---\nname: a\n", "does not begin"),
        (f"---\n{HEAD}x: [\n---\n", "cannot be read"),
        (f"---\n{HEAD}x: *y\n---\n", "aliases"),
        (f"---\n{HEAD}x: &y [1]\nz: *y\n---\n", "aliases"),
        (f"---\n{HEAD}x: .inf\n---\n", "no JSON form"),
        (f"---\n{HEAD}x: !!python/object:os.system {{}}\n---\n", "no JSON form"),
        (f"---\n{HEAD}x: !!timestamp 2026-01-01\n---\n", "no JSON form"),
        (f"---\n{HEAD}1: x\n---\n", "is no string"),
        (f"---\n{HEAD}name: b\n---\n", "there twice"),
        (f"---\n{HEAD}x: {'[' * 5000}{']' * 5000}\n---\n", "nested too deeply"),
        (f"---\n{HEAD}x: {'y' * 70_000}\n---\n", "longer than"),
        ("---\n- a\n---\n", "no mapping"),
        ("---\ndescription: d\n---\n", "name is None"),
        ("---\nname: A\ndescription: d\n---\n", "name is 'A'"),
        ("---\nname: a--b\ndescription: d\n---\n", "name is 'a--b'"),
        ("---\nname: 5\ndescription: d\n---\n", "name is 5"),
        ("---\nname: b\ndescription: d\n---\n", "the directory is called 'a'"),
        ("---\nname: a\n---\n", "description is missing"),
        ("---\nname: a\ndescription: '  '\n---\n", "description is missing"),
    ],
)
def test_what_is_no_skill_is_refused_and_told_why(text: str, problem: str) -> None:
    with pytest.raises(BadSkill, match=problem) as refused:
        read_frontmatter(text, "a")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["\ufeff---\n{}---\n", "---\r\n{}---\r\n", "---\n{}---"])
def test_byte_order_marks_and_line_ends_of_any_kind(text: str) -> None:
    assert read_frontmatter(text.format(HEAD), "a") == {"name": "a", "description": "d"}


def test_other_users_of_yaml_are_left_alone() -> None:
    assert yaml.safe_load("on") is True
