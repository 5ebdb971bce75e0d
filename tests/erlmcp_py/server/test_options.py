"""The options that tools, resources and prompts have in common: what is shown of them, and what is not one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from erlmcp_py.server import Server
from erlmcp_py.server.definition.options import DEFAULTS, Options


def text() -> str:
    """Say nothing."""
    return ""


def define(server: Server, decorator: str, **options: Any) -> Callable[..., Any]:
    first = ("memo://a",) if decorator == "resource" else ()
    return getattr(server, decorator)(*first, **options)  # type: ignore[no-any-return]


DECORATORS = pytest.mark.parametrize("decorator", ["tool", "resource", "prompt"])


def test_each_has_a_type_and_a_default() -> None:
    assert Options.__annotations__.keys() == DEFAULTS.keys()


@DECORATORS
def test_help_shows_each_with_its_default(decorator: str) -> None:
    shown = inspect.signature(getattr(Server, decorator)).parameters
    assert {name: shown[name].default for name in DEFAULTS} == DEFAULTS
    assert {shown[name].kind for name in DEFAULTS} == {inspect.Parameter.KEYWORD_ONLY}
    assert str(shown["icons"]) == "icons: 'Icons | None' = None"
    assert "options" not in shown


@DECORATORS
def test_what_is_no_option_is_an_error_at_once(decorator: str) -> None:
    server = Server("test", version="1.0")
    with pytest.raises(TypeError, match=rf"Server\.{decorator}\(\) .* keyword argument 'titel'"):
        define(server, decorator, titel="Text")


@DECORATORS
def test_each_arrives(decorator: str) -> None:
    server = Server("test", version="1.0")
    define(
        server,
        decorator,
        title="Text",
        description="What is said.",
        timeout=2.0,
        isolation="thread",
        max_concurrency=3,
        max_waiting=4,
        icons=["https://a.example/b.png"],
        meta={"a": 1},
    )(text)
    (definition,) = getattr(server, f"{decorator}s").values()
    handler, shown = definition.handler, getattr(definition, decorator)
    assert (handler.timeout, handler.mode) == (2.0, "thread")
    assert (handler.max_concurrency, handler.max_waiting) == (3, 4)
    assert (shown.title, shown.description, shown.meta) == ("Text", "What is said.", {"a": 1})
    assert [icon.src for icon in shown.icons] == ["https://a.example/b.png"]
