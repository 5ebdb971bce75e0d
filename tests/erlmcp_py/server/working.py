"""A server whose tools run in worker processes; they are found there by their names."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from erlmcp_py.server import Context, Server, ToolError

server = Server("working", version="1.0")


@dataclass
class Factors:
    number: int
    factors: list[int]


@server.tool(isolation="process")
def factor(number: int) -> Factors:
    """Split a number into its prime factors."""
    factors, rest, divisor = [], number, 2
    while divisor * divisor <= rest:
        if rest % divisor:
            divisor += 1
        else:
            factors.append(divisor)
            rest //= divisor
    return Factors(number, [*factors, rest])


@server.tool(isolation="process", max_concurrency=1)
def who() -> int:
    """The process this runs in."""
    sys.stdout.write("printed text goes to standard error\n")
    assert sys.stdin.read() == ""
    return os.getpid()


@server.tool(isolation="process")
def refuse(why: str) -> str:
    raise ToolError(why)


class Odd(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)
        self.two = two


@server.tool(isolation="process")
def fail(kind: str) -> Any:
    if kind == "value":
        raise ValueError("no such value")
    if kind == "odd":
        raise Odd("one", "two")
    if kind == "exit":
        sys.exit(3)
    if kind == "lambda":
        return lambda: None
    if kind == "hard":
        os._exit(7)
    os.kill(os.getpid(), signal.SIGSEGV)
    return None


@server.tool("spin_on", isolation="process", timeout=600)
@server.tool(isolation="process", timeout=1.5, max_concurrency=1)
def spin(path: str) -> None:
    """Hold the interpreter until the end of time, after saying where."""
    with open(path, "w") as file:  # noqa: PTH123 - as simple as can be
        file.write(str(os.getpid()))
    while True:
        time.sleep(0)


@server.tool(isolation="process")
def leave_behind() -> int:
    """A process that lives on when the call is over."""
    return subprocess.Popen(["sleep", "600"]).pid


@server.tool("found_on", isolation="process", timeout=600)
def found(path: str) -> None:
    """Start a process, and wait for it."""
    with subprocess.Popen(["sleep", "600"]) as process, open(path, "w") as file:  # noqa: PTH123
        file.write(str(process.pid))
        file.flush()


def local() -> Any:
    def inner() -> None: ...

    return inner


def wants_context(ctx: Context) -> None: ...
