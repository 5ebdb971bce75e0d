"""Handlers that the wire cannot serve are refused when they are defined, with place and parameter."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from erlmcp_py.server import Context
from erlmcp_py.server.signature import location, read_handler


def positional_only(a: int, /) -> None: ...
def variadic(*numbers: int) -> None: ...
def keywords(**options: int) -> None: ...
def untyped(a) -> None: ...  # type: ignore[no-untyped-def]
def two_contexts(a: Context, b: Context) -> None: ...
def unresolved(a: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def generator(a: int) -> Iterator[int]:
    yield a


async def async_generator(a: int) -> AsyncIterator[int]:
    yield a


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (positional_only, ["'a'", "positional-only", "drop /"]),
        (variadic, ["'*numbers'", "list"]),
        (keywords, ["'**options'", "dict"]),
        (untyped, ["'a'", "no type hint", "a: str"]),
        (two_contexts, ["'b'", "second Context", "only a"]),
        (unresolved, ["unresolved", "Missing", "module level"]),
        (generator, ["generator"]),
        (async_generator, ["generator"]),
    ],
)
def test_refused(function: Callable[..., Any], words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        read_handler(function, timeout=1)
    assert f"test_signature.py:{function.__code__.co_firstlineno}" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, True, "3", None, float("nan")])
def test_timeout_must_be_positive_seconds(timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be a number of seconds"):
        read_handler(lambda: None, timeout=timeout)


def test_isolation_must_be_known() -> None:
    with pytest.raises(ValueError, match="one of 'inline', 'thread', 'process', not 'fibre'"):
        read_handler(lambda: None, timeout=1, isolation="fibre")  # type: ignore[arg-type]


async def waits() -> None: ...


def test_async_in_a_thread_is_a_contradiction() -> None:
    with pytest.raises(TypeError, match="async handler cannot have isolation='thread'"):
        read_handler(waits, timeout=1, isolation="thread")


def test_not_a_function() -> None:
    with pytest.raises(TypeError, match="must be a function"):
        read_handler(3, timeout=1)  # type: ignore[arg-type]


def documented(a: int, ctx: Context, b: str = "x") -> float:
    """Do it.

    Args:
        a: The a.
    """
    return 1.0


def test_what_is_read() -> None:
    handler = read_handler(documented, timeout=2, isolation="thread")
    assert [(p.name, p.hint, p.required, p.description) for p in handler.parameters] == [
        ("a", int, True, "The a."),
        ("b", str, False, ""),
    ]
    assert (handler.context_name, handler.returns, handler.mode) == ("ctx", float, "thread")
    assert (handler.description, handler.timeout) == ("Do it.", 2.0)
    assert handler.where == location(documented)


def optional_context(ctx: Context | None = None) -> None: ...


def test_an_optional_context_is_a_context() -> None:
    handler = read_handler(optional_context, timeout=1)
    assert (handler.context_name, handler.parameters) == ("ctx", ())


def test_no_return_hint() -> None:
    assert read_handler(lambda: None, timeout=1).returns is inspect.Signature.empty


class Greeter:
    def __init__(self, word: str) -> None:
        self.word = word

    def greet(self, name: str) -> str:
        return f"{self.word} {name}"

    async def __call__(self, name: str) -> str:
        """Greet later."""
        return self.greet(name)


def test_methods_partials_and_callable_objects() -> None:
    assert [p.name for p in read_handler(Greeter("Hi").greet, timeout=1).parameters] == ["name"]
    later = read_handler(Greeter("Hi"), timeout=1)
    assert (later.mode, later.description) == ("async", "Greet later.")
    bound = read_handler(partial(documented, 3), timeout=1)
    assert [p.name for p in bound.parameters] == ["b"]
    assert bound.description == "Do it."
    assert bound.where == location(documented)
