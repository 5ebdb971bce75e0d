"""The way to a server: TARGET, or ``-- PROGRAM [ARGUMENT]...``, and the options every command has that
talks to one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, get_args

import click
import msgspec

from erlmcp_py.cli.client.printing import print_json
from erlmcp_py.client.negotiation import Mode
from erlmcp_py.protocol.lifecycle import LogLevel

_PROGRAM: Final = "erlmcp_py.cli.client.program"
"""Where click keeps the words after ``--`` while it reads the others."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """target: "" if there is a program. timeout: seconds without an answer or progress. roots: file: URIs.
    token_env: the variable that holds a bearer token. sample: the user answers in place of a model.
    """

    target: str = ""
    program: tuple[str, ...] = ()
    era: Mode = "auto"
    timeout: float = 60.0
    headers: tuple[str, ...] = ()
    auth: bool = False
    token_env: str | None = None
    roots: tuple[str, ...] = ()
    sample: bool = False
    log_level: LogLevel = "info"
    verbose: bool = False
    as_json: bool = False


class ToServer(click.Command):
    """A command whose first argument is TARGET, unless its last words are ``-- PROGRAM [ARGUMENT]...``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the program aside."""
        if "--" in args:
            place = args.index("--")
            program = args[place + 1 :]
            if not program:
                raise click.UsageError("after -- comes a program, and its arguments", ctx)
            ctx.meta[_PROGRAM] = tuple(program)
            args = ["", *args[:place]]
        wants_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as wrong:
            if wants_json:
                print_json({"error": {"code": "usage", "message": wrong.format_message()}})
            raise


def _a_number(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("nan is no number of seconds")
    return value


def to_server(function: Callable[..., None]) -> Callable[..., None]:
    """For the function of a `ToServer`: it is given its `Way` first."""

    @click.argument("target")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option(
        "--era",
        type=click.Choice(get_args(Mode)),
        default="auto",
        show_default=True,
        help="Revisions to speak: modern is 2026-07-28, legacy the older ones.",
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=60.0,
        show_default=True,
        callback=_a_number,
        help="Seconds without an answer or progress after which a request is given up.",
    )
    @click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME:VALUE",
        help="Send it with every HTTP request; repeat for more.",
    )
    @click.option("--auth", is_flag=True, help="Be authorized in a browser, if the server asks.")
    @click.option("--token-env", metavar="VARIABLE", help="Send the bearer token it holds.")
    @click.option(
        "--root",
        "roots",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="Let the server know that it may work there; repeat for more.",
    )
    @click.option("--sample", is_flag=True, help="Answer yourself where the server asks a model.")
    @click.option(
        "--log-level",
        type=click.Choice(get_args(LogLevel)),
        default="info",
        show_default=True,
        help="Least severe log messages to show.",
    )
    @click.option(
        "--verbose", "-v", is_flag=True, help="Show who answers, and what a program says."
    )
    @wraps(function)
    def command(
        *,
        target: str,
        as_json: bool,
        era: Mode,
        timeout: float,
        headers: tuple[str, ...],
        auth: bool,
        token_env: str | None,
        roots: tuple[Path, ...],
        sample: bool,
        log_level: LogLevel,
        verbose: bool,
        **rest: Any,
    ) -> None:
        way = Way(
            target=target,
            program=click.get_current_context().meta.get(_PROGRAM, ()),
            era=era,
            timeout=timeout,
            headers=headers,
            auth=auth,
            token_env=token_env,
            roots=tuple(root.absolute().as_uri() for root in roots),
            sample=sample,
            log_level=log_level,
            verbose=verbose,
            as_json=as_json,
        )
        function(way, **rest)

    return command
