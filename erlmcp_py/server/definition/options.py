"""The options that tools, resources and prompts have in common.

They are said once: ``**options: Unpack[Options]`` tells them to type checkers, `with_defaults` gives them
their defaults, and `spelled_out` shows them in the signature of a decorator, where `help` looks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypedDict, TypeVar

from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.definition.checks import Icons, checked_icons, checked_meta
from erlmcp_py.server.signature import MAX_WAITING, Handler, Isolation

D = TypeVar("D", bound=Callable[..., Any])
"""A decorator, which stays what it is."""

DEFAULT_TIMEOUT = 30.0
"""Seconds a handler may take unless it says otherwise."""


class Options(TypedDict, total=False):
    """For clients: title, description (of the docstring unless given), icons, meta. How the function runs:
    timeout, isolation, max_concurrency, max_waiting; `Server.tool` says what they mean.
    """

    title: str | None
    description: str | None
    timeout: float
    isolation: Isolation
    max_concurrency: int | None
    max_waiting: int
    icons: Icons | None
    meta: Json | None


DEFAULTS: Final[Options] = {
    "title": None,
    "description": None,
    "timeout": DEFAULT_TIMEOUT,
    "isolation": "inline",
    "max_concurrency": None,
    "max_waiting": MAX_WAITING,
    "icons": None,
    "meta": None,
}


def spelled_out(decorator: D) -> D:
    """Have the signature of a decorator show each option in the place of ``**options``."""
    signature = inspect.signature(decorator)
    hints = {name: hint.__forward_arg__ for name, hint in Options.__annotations__.items()}
    *own, _options = signature.parameters.values()
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name]
        )
        for name, default in DEFAULTS.items()
    ]
    decorator.__dict__["__signature__"] = signature.replace(parameters=[*own, *options])
    return decorator


def with_defaults(decorator: str, given: Options) -> Options:
    """All options, by default or as given. TypeError for one that there is not."""
    for name in given:
        if name not in DEFAULTS:
            raise TypeError(f"Server.{decorator}() got an unexpected keyword argument {name!r}")
    return {**DEFAULTS, **given}


def running(options: Options) -> dict[str, Any]:
    """How the function is to run, as `read_handler` takes it."""
    return {
        "timeout": options["timeout"],
        "isolation": options["isolation"],
        "max_concurrency": options["max_concurrency"],
        "max_waiting": options["max_waiting"],
    }


def shown(options: Options, handler: Handler) -> dict[str, Any]:
    """What clients are shown of it, as members of `Tool`, `Resource` and `Prompt`, checked."""
    return {
        "title": options["title"],
        "description": options["description"] or handler.description or None,
        "icons": checked_icons(options["icons"], handler.where),
        "meta": checked_meta(options["meta"], handler.where),
    }
