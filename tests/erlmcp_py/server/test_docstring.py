from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.server.docstring import Docstring, parse_docstring

GOOGLE = """Add things.

    In detail: this is no section.

    Args:
        a: The first,
            on two lines.
        b (tuple(int, str), optional): The second: with a colon.

        *rest: The others.

    Returns:
        sum: not a parameter
    """

NUMPY = """Add things.

    In detail: this is no section.

    Parameters
    ----------
    a : int
        The first,
        on two lines.
    b, rest : float, default 3
        The others.

    Returns
    -------
    total : int
        Not a parameter.
    """

SPHINX = """Add things.

    In detail: this is no section.

    :param a: The first,
        on two lines.
    :param int b: The second: with a colon.
    :type a: int
    :returns: not a parameter
    :raises ValueError: never
    """


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (
            GOOGLE,
            {
                "a": "The first, on two lines.",
                "b": "The second: with a colon.",
                "rest": "The others.",
            },
        ),
        (
            NUMPY,
            {"a": "The first, on two lines.", "b": "The others.", "rest": "The others."},
        ),
        (SPHINX, {"a": "The first, on two lines.", "b": "The second: with a colon."}),
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_the_three_styles(text: str, parameters: dict[str, str]) -> None:
    assert parse_docstring(text) == Docstring(
        "Add things.\n\nIn detail: this is no section.", parameters
    )


@pytest.mark.parametrize("text", [None, "", "   \n  "])
def test_no_docstring(text: str | None) -> None:
    assert parse_docstring(text) == Docstring()


def test_prose_is_the_description() -> None:
    text = "Convert.\n\nExample:\n    x: y\n\nUse with care."
    assert parse_docstring(text) == Docstring(text)


def test_google_section_ends_where_the_indentation_ends() -> None:
    text = "Convert.\n\nArgs:\n    a: One.\nMore prose: here."
    assert parse_docstring(text).parameters == {"a": "One."}


@given(st.text(st.sampled_from("Args:Parameters\n- :param x:ab (),")))
def test_any_text_is_read(text: str) -> None:
    parsed = parse_docstring(text)
    assert all(name.isidentifier() or name.strip() == name for name in parsed.parameters)
    assert "\n" not in "".join(parsed.parameters.values())
