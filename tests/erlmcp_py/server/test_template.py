"""Templates of RFC 6570 read backwards: what is expanded by the RFC's own rules is matched again."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.server import Server
from erlmcp_py.server.uri import compile_template

from .conftest import Connect

RESERVED = ":/?#[]@!$&'()*+,;="


def expand(template: str, values: dict[str, Any]) -> str:
    """RFC 6570, 3.2.1, written down as it stands there."""

    def one(matched: re.Match[str]) -> str:
        body = matched[1]
        operator = body[0] if body[0] in "+#./;?&" else ""
        first = {"": "", "+": ""}.get(operator, operator)
        separator = {"": ",", "+": ",", "#": ",", "?": "&"}.get(operator, operator)
        named = operator in (";", "?", "&")
        empty = "" if operator == ";" else "="
        safe = RESERVED if operator in ("+", "#") else ""

        def text(value: str) -> str:
            return quote(value, safe=safe)

        def pair(name: str, value: str) -> str:
            return f"{name}={text(value)}" if value else f"{name}{empty}"

        parts = []
        for spec in body[len(operator) :].split(","):
            name, _, length = spec.rstrip("*").partition(":")
            value = values.get(name)
            if value is None or value in ([], {}):
                continue
            if isinstance(value, str):
                value = value[: int(length)] if length else value
                parts.append(pair(name, value) if named else text(value))
            elif not spec.endswith("*"):
                flat = value if isinstance(value, list) else [x for kv in value.items() for x in kv]
                joined = ",".join(map(text, flat))
                parts.append(f"{name}={joined}" if named else joined)
            elif isinstance(value, list):
                parts += [pair(name, item) if named else text(item) for item in value]
            elif named:
                parts += [pair(text(key), item) for key, item in value.items()]
            else:
                parts += [f"{text(key)}={text(item)}" for key, item in value.items()]
        return first + separator.join(parts) if parts else ""

    return re.sub(r"\{([^{}]*)\}", one, template)


LETTERS = "abcXYZ019-_~ äé€😀%&=+!*'()$@[]"
WORD = st.text(LETTERS, min_size=1, max_size=8)
PATH = st.lists(st.text("abc-_~ .ä%&", min_size=1, max_size=5), min_size=1, max_size=4).map(
    lambda parts: "/".join(part.replace(".", "d") for part in parts)
)

CASES: list[tuple[str, dict[str, st.SearchStrategy[Any]]]] = [
    ("x:{a}", {"a": WORD}),
    ("x://{a}/{b}.json", {"a": WORD, "b": WORD}),
    ("x://h/{a,b,c}", {"a": WORD, "b": WORD, "c": WORD}),
    ("x://h/{+a}", {"a": PATH}),
    ("x://h/{+a}{?q}", {"a": PATH, "q": st.none() | WORD}),
    ("x://h{#f}", {"f": st.none() | PATH}),
    ("x://h{/a,b}", {"a": WORD, "b": st.none() | WORD}),
    ("x://h{/a}{/b}{?q}{#f}", dict.fromkeys("abqf", WORD)),
    ("x://h{/a*}{?q,r}", {"a": st.lists(WORD, min_size=1), "q": WORD, "r": st.none() | WORD}),
    ("x://h/f{.a,b}", {"a": WORD, "b": st.none() | WORD}),
    ("x://h/p{;a,b}", {"a": WORD | st.just(""), "b": st.none() | WORD}),
    ("x://h/p{?a,b,c}", dict.fromkeys("abc", st.none() | st.just("") | WORD)),
    ("x://h/p?fixed=1{&a,b}", dict.fromkeys("ab", st.none() | WORD)),
    ("x://h/p{?a}{&b}", {"a": WORD, "b": st.none() | WORD}),
    ("x://h/p{?tags*,z}", {"tags": st.lists(WORD, min_size=1), "z": st.none() | WORD}),
    ("x://h/p{?tags}", {"tags": st.lists(WORD, min_size=1)}),
    ("x://h/{tags}", {"tags": st.lists(WORD, min_size=1)}),
    ("x://h/{tags*}", {"tags": st.lists(WORD, min_size=1)}),
    ("x://h/p{?pairs*}", {"pairs": st.dictionaries(WORD, WORD | st.just(""), min_size=1)}),
    ("x://h/p{?a,pairs*}", {"a": WORD, "pairs": st.dictionaries(st.text("klm", min_size=1), WORD)}),
    ("x://h{/pairs*}", {"pairs": st.dictionaries(WORD, WORD, min_size=1)}),
    ("x://h/{pairs}", {"pairs": st.dictionaries(WORD, WORD, min_size=1)}),
    ("x://h{/a:2,a}", {"a": WORD}),
]


@pytest.mark.parametrize(("template", "strategies"), CASES, ids=[case[0] for case in CASES])
@given(data=st.data())
def test_what_is_expanded_is_matched_again(
    template: str, strategies: dict[str, st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    values = {name: data.draw(strategy) for name, strategy in strategies.items()}
    given_ = {name: value for name, value in values.items() if value not in (None, {})}
    lists = [name for name, value in given_.items() if isinstance(value, list)]
    dicts = [name for name in values if name == "pairs"]
    compiled = compile_template(template, lists=lists, dicts=dicts)
    assert compiled.match(expand(template, values)) == given_


def test_the_expander_of_these_tests_knows_the_examples_of_the_rfc() -> None:
    values = {
        "var": "value",
        "hello": "Hello World!",
        "path": "/foo/bar",
        "empty": "",
        "list": ["red", "green", "blue"],
        "keys": {"semi": ";", "dot": ".", "comma": ","},
        "x": "1024",
        "y": "768",
    }
    for template, uri in {
        "{hello}": "Hello%20World%21",
        "{+path,x}/here": "/foo/bar,1024/here",
        "{#path:6}here": "#/foo/bhere",
        "X{.list*}": "X.red.green.blue",
        "{/var:1,var}": "/v/value",
        "{/list}": "/red,green,blue",
        "{;x,y,empty}": ";x=1024;y=768;empty",
        "{?x,y,empty}": "?x=1024&y=768&empty=",
        "{&list*}": "&list=red&list=green&list=blue",
        "{?keys*}": "?semi=%3B&dot=.&comma=%2C",
        "{;keys}": ";keys=semi,%3B,dot,.,comma,%2C",
    }.items():
        assert expand(template, values) == uri


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("x://h{?q,r}", "x://h?r=1&q=2", {"q": "2", "r": "1"}),
        ("x://h{?q}", "x://h", {}),
        ("x://h{?q}", "x://h?", None),
        ("x://h{/a*}", "x://h/1//2", None),
        ("x://h{?q}", "x://h?z=1", None),
        ("x://h{?q}", "x://h?q=1&q=2", None),
        ("x://h{?q}", "x://h?q=1&z=2", None),
        ("x://h{/a}", "x://h", {}),
        ("x://h{/a}", "x://h/1/2", None),
        ("x://h{/a}/b", "x://h/b", {}),
        ("x://h{/a}/b", "x://h/b/b", {"a": "b"}),
        ("x://h{/a}/b", "x://h/1/c", None),
        ("x:{a,b}", "x:1", {"a": "1"}),
        ("x:{a,b}", "x:1,2,3", None),
        ("x:{a:3}", "x:abcd", None),
        ("x:{a:3}", "x:äöü", {"a": "äöü"}),
        ("x:h{/a:2,a}", "x:h/ab/xyz", None),
        ("x:h{.ext}", "x:h.tar.gz", {"ext": "tar.gz"}),
        ("x:{a}{.ext}", "x:archive.tar.gz", {"a": "archive", "ext": "tar.gz"}),
        ("x:{a}{.ext}", "x:archive", {"a": "archive"}),
    ],
)
def test_what_a_uri_says(template: str, uri: str, values: dict[str, Any] | None) -> None:
    assert compile_template(template).match(quote(uri, safe=RESERVED)) == values


UPWARDS = [
    "../x",
    "a/../../x",
    "a/..",
    "..",
    ".",
    "a/./b",
    "%2e%2e/x",
    "a/%2E%2E%2Fx",
    "/etc/passwd",
    "%2Fetc/passwd",
    "C:/x",
    "a\\b",
    "a%5C..%5Cb",
    "a%00b",
    "a%0Ab",
    "%ff",
]


@pytest.mark.parametrize("path", UPWARDS)
def test_paths_do_not_lead_out_of_their_place(path: str) -> None:
    for template in ("file:///{+path}", "file:///x{#path}"):
        uri = template.partition("{")[0] + ("#" if "#" in template else "") + path
        assert compile_template(template).match(uri) is None
    assert compile_template("file:///{/path*}", lists=["path"]).match(f"file:////{path}") is None


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/./b", "C:/x"])
def test_unless_the_author_wants_that(path: str) -> None:
    assert compile_template("file:///{+path}", any_path=True).match(f"file:///{path}") == {
        "path": path
    }


def test_no_control_character_even_then() -> None:
    assert compile_template("file:///{+path}", any_path=True).match("file:///a%00") is None


@given(st.text("./%2eE5cC\\a:", max_size=12))
def test_no_path_that_matches_ever_leads_out(path: str) -> None:
    values = compile_template("f:x/{+path}").match(f"f:x/{path}")
    if values is not None:
        found = str(values["path"])
        assert not found.startswith("/")
        assert not {".", ".."} & set(found.split("/"))
        assert "\\" not in found


def test_matching_takes_no_time_that_matters() -> None:
    simple = "-".join(f"{{v{n}}}" for n in range(100))
    paths = "".join(f"{{/w{n}}}" for n in range(100))
    template = compile_template(f"x:{simple}{paths}!")
    for hostile in ("-" * 8000, "-/" * 4000, "/-" * 4000, "-" * 4000 + "/" * 4000):
        assert template.match(f"x:{hostile}") is None
        assert template.match(f"x:{hostile}!") is None or hostile == "-" * 8000


async def test_handlers_get_what_their_hints_say(connect: Connect) -> None:
    server = Server("rows", version="1.0")

    @server.resource("rows://{table}{/id}{?columns,limit,tags*,where*}")
    def rows(
        table: str,
        id: int | None = None,
        columns: list[str] | None = None,
        limit: int = 10,
        tags: list[int] = [],  # noqa: B006 - never changed
        where: dict[str, str] | None = None,
    ) -> list[Any]:
        return [table, id, columns, limit, tags, where]

    peer = await connect(server)

    async def read(uri: str) -> str:
        (contents,) = (await peer.result("resources/read", {"uri": uri}))["contents"]
        return str(contents["text"])

    assert await read("rows://users") == '["users",null,null,10,[],null]'
    assert await read("rows://users/7") == '["users",7,null,10,[],null]'
    uri = "rows://users?limit=3&columns=name,age&tags=1&tags=2&city=Rome"
    assert await read(uri) == '["users",null,["name","age"],3,[1,2],{"city":"Rome"}]'
    assert (await peer.error("resources/read", {"uri": "rows://users/seven"}))["code"] == -32602
    assert (await peer.error("resources/read", {"uri": "rows://users?tags=x"}))["code"] == -32602


async def test_what_a_handler_needs_must_be_there(connect: Connect) -> None:
    server = Server("rows", version="1.0")

    @server.resource("rows://all{?page}")
    def rows(page: int) -> str:
        return str(page)

    peer = await connect(server)
    assert await peer.result("resources/read", {"uri": "rows://all?page=1"})
    assert (await peer.error("resources/read", {"uri": "rows://all"}))["code"] == -32602


async def test_a_template_that_is_mounted(connect: Connect) -> None:
    inner, outer = Server("inner", version="1.0"), Server("outer", version="1.0")

    @inner.resource("rows://{table}{?tags*}", any_path=True)
    def rows(table: str, tags: list[str]) -> list[str]:
        return [table, *tags]

    outer.mount("in", inner)
    peer = await connect(outer)
    uri = "rows://in/users?tags=a&tags=b"
    (contents,) = (await peer.result("resources/read", {"uri": uri}))["contents"]
    assert contents["text"] == '["users","a","b"]'
