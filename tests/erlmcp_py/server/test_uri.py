from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.server import Server
from erlmcp_py.server.uri import check_uri, compile_template, is_template

SAFE = st.text(min_size=1).filter(
    lambda value: (
        value not in (".", "..")
        and not any(
            c in "/\\" or c < " " or c == "\x7f" or 0xD800 <= ord(c) < 0xE000 for c in value
        )
    )
)


@given(SAFE, SAFE)
def test_what_expands_matches_back(city: str, day: str) -> None:
    template = compile_template("weather://{city}/days/{day}")
    uri = f"weather://{quote(city, safe='')}/days/{quote(day, safe='')}"
    assert template.match(uri) == {"city": city, "day": day}


@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        "..%2Fetc",
        "a%2F..%2Fb",
        "a%5Cb",
        "a\\b",
        "a%00",
        "a%0a",
        "%ff",
        "",
        "a/b",
        "a?b",
        "a#b",
    ],
)
def test_values_that_could_leave_their_place_do_not_match(value: str) -> None:
    assert compile_template("file:///{name}").match(f"file:///{value}") is None


@given(st.text(st.sampled_from("ab-%2Ff5Cc./\\0eE")))
def test_no_match_ever_holds_a_separator(uri: str) -> None:
    values = compile_template("x:{a}-{b}").match(f"x:{uri}-b") or {}
    assert not any(set("/\\\x00") & set(value) for value in values.values())


def test_percent_is_decoded_once() -> None:
    assert compile_template("x:{a}").match("x:%252e%252e") == {"a": "%2e%2e"}


def test_literals_match_exactly() -> None:
    template = compile_template("a+b://h.st/{x}.json?v=1")
    assert template.match("a+b://h.st/q.json?v=1") == {"x": "q"}
    assert template.match("aab://h.st/q.json?v=1") is None
    assert template.match("a+b://hxst/q.json?v=1") is None
    assert template.match("a+b://h.st/q.json?v=1&w") is None


def test_an_overlong_uri_matches_nothing() -> None:
    assert compile_template("x:{a}").match("x:" + "a" * 9000) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x:{a}{b}", "put a literal before {b}"),
        ("x:{a}{+b}", "put a literal before {+b}"),
        ("x:{a}/{a}", "occurs twice"),
        ("x:{=a}", "{=a} is not supported"),
        ("x:{a,}", "not supported"),
        ("x:{a:0}", "not supported"),
        ("x:{a:3*}", "not supported"),
        ("x:{?a,a}", "'a' occurs twice"),
        ("x:{a}{?a}", "'a' occurs twice"),
        ("x:{}", "not supported"),
        ("x:a", "no variables"),
        ("x:{a", "unbalanced"),
        ("x:a}", "unbalanced"),
        ("x:{a}/ü", "percent-encode"),
        ("{a}/b", "no scheme"),
        ("x:" + "/".join(f"{{v{i}}}" for i in range(300)), "at most 256"),
        ("x:{a}" + "b" * 9000, "at most 8192"),
    ],
)
def test_templates_that_are_refused(text: str, word: str) -> None:
    with pytest.raises(
        ValueError,
        match="^(?s:.*)" + word.replace("+", r"\+").replace("{", r"\{").replace("?", r"\?"),
    ):
        compile_template(text)


@pytest.mark.parametrize("text", ["", "plain", "a b:c", "ü://x", "http://[x"])
def test_addresses_that_are_no_uri(text: str) -> None:
    with pytest.raises(ValueError):
        check_uri(text)


def test_what_is_a_template() -> None:
    assert is_template("x:{a}")
    assert is_template("x:a}")
    assert not is_template("x:a")


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("x:{a}-{b}", "x:1-2-3", {"a": "1", "b": "2-3"}),
        ("x:{a}-{b}", "x:-2-3", {"a": "-2", "b": "3"}),
        ("x:{a}--{b}", "x:1---3", {"a": "1", "b": "-3"}),
        ("x:{a}.json", "x:1.json.json", {"a": "1.json"}),
        ("x:{a}/{b}/c", "x:1/2/c", {"a": "1", "b": "2"}),
        ("x:{a}-{b}/c", "x:1/c", None),
        ("x:{a}-{b}", "x:1-", None),
        ("x:{a}-{b}", "x:-", None),
        ("x:{a}aa", "x:aa", None),
        ("x:{a}x", "x:", None),
    ],
)
def test_where_a_variable_ends(template: str, uri: str, values: dict[str, str] | None) -> None:
    assert compile_template(template).match(uri) == values


def test_a_hostile_uri_is_matched_in_linear_time() -> None:
    template = compile_template("x:" + "-".join(f"{{v{n}}}" for n in range(200)) + "-end")
    assert template.match("x:" + "-" * 8000 + "/end") is None


def test_a_uri_that_a_template_cannot_read_is_no_resource() -> None:
    server = Server("s", version="1")

    @server.resource("n://{number}")
    def number(number: int) -> str:
        return str(number)

    assert server.offers("n://7")
    assert not server.offers("n://seven")
    assert not server.offers("m://7")
