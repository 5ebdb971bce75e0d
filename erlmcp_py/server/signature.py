"""What a handler's signature promises, checked when the handler is defined.

A handler is a Python function; its signature is the whole declaration of its inputs. Anything the
wire cannot express (positional-only parameters, `*args`, a missing or unresolvable hint) is refused
here, at import time, with the place and the parameter named, because a mistake found by the first
client's call is found too late.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from erlmcp_py.server.context import Context
from erlmcp_py.server.docstring import parse_docstring

Mode = Literal["inline", "async", "thread", "process"]
Isolation = Literal["inline", "thread", "process"]

MAX_WAITING = 100
"""Calls that wait for their turn where the author says nothing else."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of a handler."""

    name: str
    hint: Any
    """The evaluated type hint, `Annotated` metadata included."""
    default: Any
    """The Python default, or `inspect.Parameter.empty` if the parameter is required."""
    description: str
    """From the docstring; "" if it says nothing."""

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A function ready to be called by a server process, and how to run it."""

    function: Callable[..., Any]
    mode: Mode
    """inline: in the server process; async: a process of its own; thread, process: that, and a thread
    or a process of the operating system."""
    timeout: float
    """Seconds until a call is given up; it cannot interrupt an inline handler."""
    where: str
    """`file:line` of the definition, for error messages."""
    parameters: tuple[Parameter, ...]
    context_name: str | None
    """Name of the parameter that receives the `Context`, if there is one."""
    returns: Any
    """The evaluated return hint, or `inspect.Signature.empty`."""
    description: str
    """From the docstring."""
    others: bool = False
    """Whether it has ``**arguments``, for what its parameters do not name."""
    home: Any = None
    """The server it was defined on, whose lifespan it shares."""
    wants_state: bool = False
    """Whether its `Context` names the type of that lifespan's state."""
    max_concurrency: int | None = None
    """Calls of it that run at a time; None: any number."""
    max_waiting: int = MAX_WAITING
    """Calls beyond these that wait for their turn."""


def location(function: Callable[..., Any]) -> str:
    """`file:line` of a function's definition, or its repr where Python keeps no source."""
    plain = inspect.unwrap(getattr(function, "func", function))
    code = getattr(plain, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def read_handler(
    function: Callable[..., Any],
    *,
    timeout: float,
    isolation: Isolation = "inline",
    max_concurrency: int | None = None,
    max_waiting: int = MAX_WAITING,
    others: bool = False,
    home: Any = None,
) -> Handler:
    """Analyse `function`; TypeError or ValueError names file:line and what would be right.

    home: the server it belongs to. others: ``**arguments: Any`` is allowed, because what may be in it is said elsewhere.
    """
    if not callable(function):
        raise TypeError(f"a handler must be a function, not {function!r}")
    where = location(function)
    seconds = seconds_of(timeout, where)
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(_annotated_object(function), include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{where}: a type hint of {_name(function)} cannot be resolved: {error}; "
            "the name must be defined or imported at module level"
        ) from error
    documentation = parse_docstring(_annotated_object(function).__doc__)
    parameters: list[Parameter] = []
    context_name: str | None = None
    takes_others = wants_state = False
    for parameter in signature.parameters.values():
        name = parameter.name
        if others and parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_others = True
            continue
        _refuse_kind(parameter, where)
        if name not in hints:
            _refuse(where, name, "has no type hint; write for example", f"{name}: str")
        if _is_context(hints[name]):
            if context_name is not None:
                _refuse(where, name, "is a second Context; keep only", context_name)
            context_name = name
            wants_state = hints[name] is not Context and hints[name] != Context | None
            continue
        parameters.append(
            Parameter(name, hints[name], parameter.default, documentation.parameters.get(name, ""))
        )
    mode = _mode(function, isolation, where)
    if mode == "process":
        _check_importable(function, context_name, where)
        if max_concurrency is None:
            max_concurrency = os.cpu_count() or 1
    _check_concurrency(mode, max_concurrency, max_waiting, where)
    return Handler(
        function=function,
        mode=mode,
        timeout=seconds,
        where=where,
        parameters=tuple(parameters),
        context_name=context_name,
        returns=hints.get("return", inspect.Signature.empty),
        description=documentation.description,
        others=takes_others,
        home=home,
        wants_state=wants_state,
        max_concurrency=max_concurrency,
        max_waiting=max_waiting,
    )


def seconds_of(timeout: object, where: str) -> float:
    """A time-out, if it is one."""
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout > 0:
        return float(timeout)
    raise ValueError(f"{where}: timeout must be a number of seconds above 0, not {timeout!r}")


def _mode(function: Callable[..., Any], isolation: Isolation, where: str) -> Mode:
    if isolation not in get_args(Isolation):
        known = ", ".join(map(repr, get_args(Isolation)))
        raise ValueError(f"{where}: isolation must be one of {known}, not {isolation!r}")
    plain = function if inspect.isroutine(function) else getattr(function, "func", None)
    target: Any = plain if plain is not None else type(function).__call__
    if inspect.isasyncgenfunction(target) or inspect.isgeneratorfunction(target):
        raise TypeError(f"{where}: a generator cannot be a handler; return the whole result")
    if not inspect.iscoroutinefunction(target):
        return isolation
    if isolation != "inline":
        raise TypeError(
            f"{where}: an async handler cannot have isolation={isolation!r}; make it plain"
        )
    return "async"


def _check_importable(function: Any, context_name: str | None, where: str) -> None:
    """A worker process finds a handler by its name, and has no way to the client."""
    if not inspect.isfunction(function) or not function.__qualname__.isidentifier():
        raise TypeError(
            f"{where}: isolation='process' needs a function at the top of a module, not {function!r}"
        )
    if function.__module__ == "__main__":
        raise TypeError(
            f"{where}: isolation='process' needs a module that can be imported; this one is a script"
        )
    if context_name is not None:
        _refuse(where, context_name, "cannot go to another process; leave out", "the Context")


def _check_concurrency(mode: Mode, running: object, waiting: object, where: str) -> None:
    if running is not None:
        if type(running) is not int or running < 1:
            raise ValueError(f"{where}: max_concurrency must be 1 or more, not {running!r}")
        if mode == "inline":
            raise TypeError(
                f"{where}: max_concurrency means nothing for a plain handler, which always runs "
                "alone; make it async, or give it an isolation"
            )
    if type(waiting) is not int or waiting < 0:
        raise ValueError(f"{where}: max_waiting must be 0 or more, not {waiting!r}")


def _annotated_object(function: Callable[..., Any]) -> Any:
    """The object that carries the annotations: a partial's or a callable object's function."""
    if inspect.isroutine(function):
        return function
    inner = getattr(function, "func", None)
    return inner if inner is not None else type(function).__call__


def _is_context(hint: Any) -> bool:
    return (
        hint is Context
        or get_origin(hint) is Context
        or any(_is_context(part) for part in get_args(hint))
    )


def _refuse_kind(parameter: inspect.Parameter, where: str) -> None:
    kind = parameter.kind
    if kind is inspect.Parameter.POSITIONAL_ONLY:
        _refuse(where, parameter.name, "is positional-only; arguments come by name, so drop", "/")
    if kind is inspect.Parameter.VAR_POSITIONAL:
        _refuse(
            where, f"*{parameter.name}", "has no name on the wire; write", "a list[...] parameter"
        )
    if kind is inspect.Parameter.VAR_KEYWORD:
        _refuse(
            where,
            f"**{parameter.name}",
            "has no schema; write",
            "a dict[str, ...] parameter, or give input_schema=",
        )


def _refuse(where: str, name: str, problem: str, remedy: str) -> NoReturn:
    raise TypeError(f"{where}: parameter {name!r} {problem} {remedy}")


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
