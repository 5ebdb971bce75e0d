"""Doing a job on a server, from the first word to the exit code."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click
import trio

from erlmcp_py.cli.client.arguments import BadArgument
from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.person import Person
from erlmcp_py.cli.client.printing import print_json, print_line
from erlmcp_py.cli.client.targets import BadWay, make_client
from erlmcp_py.cli.client.way import Way
from erlmcp_py.cli.oneshot import fail
from erlmcp_py.client import Client, ClientError
from erlmcp_py.config import ConfigError
from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.errors import McpError
from supervisors import Runtime, spawn

T = TypeVar("T")

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

Job = Callable[[Client, Aside], Awaitable[T]]


class NoAnswer(Exception):
    """The server has no such thing; one line."""


class _Interrupted(Exception):
    """Ctrl-C."""


def on_server(way: Way, job: Job[T], *, tasks: bool = False, lines: bool = False) -> T:
    """What `job` returns. Ends the program when it fails, or Ctrl-C is pressed: what was asked of the
    server is cancelled first; a second Ctrl-C ends the program at once.

    tasks: calls may become tasks. lines: what is printed as JSON is a line each, an error as well.
    """
    try:
        return trio.run(_whole, way, job, tasks)
    except ConfigError as problem:
        _fail(way, "no_such_server", problem, lines=lines)
    except (BadWay, BadArgument) as problem:
        _fail(way, "bad_argument", problem, lines=lines)
    except UnicodeEncodeError as problem:
        wrong = BadArgument(f"{str(problem.object)[:100]!r} is no UTF-8")
        _fail(way, "bad_argument", wrong, lines=lines)
    except (ClientError, NoAnswer) as problem:
        _fail(way, "no_answer", problem, lines=lines)
    except McpError as problem:
        _fail(way, "refused", problem, lines=lines)
    except (_Interrupted, KeyboardInterrupt):
        _end(way, INTERRUPTED, "interrupted", "interrupted", lines=lines)


def _fail(way: Way, code: str, problem: Exception, *, lines: bool) -> NoReturn:
    _end(way, 2, code, clean(" ".join(str(problem).split())), lines=lines)


def _end(way: Way, status: int, code: str, message: str, *, lines: bool) -> NoReturn:
    if way.as_json and lines:
        print_line({"error": {"code": code, "message": message}})
    fail(status, code, message, as_json=way.as_json and not lines)


async def _whole(way: Way, job: Job[T], tasks: bool) -> T:
    aside = Aside()
    person = Person(aside)
    client = make_client(way, person, aside, tasks=tasks)
    async with Runtime() as runtime:
        runtime.subscribe(person.told)
        with trio.CancelScope() as scope:
            spawn(_interrupts, scope, label="hears Ctrl-C")
            try:
                async with client:
                    if way.verbose:
                        aside.say(_greeting(client))
                    return await job(client, aside)
            finally:
                aside.clear()
        raise _Interrupted


async def _interrupts(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async for _ in signals:
            if scope.cancel_called:
                os._exit(INTERRUPTED)  # what it has started ends with it (`ports`)
            scope.cancel()


def _greeting(client: Client) -> str:
    hello = client.hello
    info = hello.server_info
    name = "a server without a name" if info is None else f"{info.name} {info.version}"
    return f"connected to {name}, revision {hello.version} ({hello.era})"


def done(way: Way, text: str, as_json: object) -> None:
    """Print what a command found, one way or the other."""
    if way.as_json:
        print_json(as_json)
    else:
        click.echo(text)
