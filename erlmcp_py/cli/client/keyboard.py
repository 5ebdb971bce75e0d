"""Questions at the terminal. WHY not click's: its prompts hold the loop, and while somebody thinks the
connection has to be attended to, and Ctrl-C has to cancel the call.
"""

from __future__ import annotations

import os
import sys

import click
from trio.lowlevel import wait_readable

from erlmcp_py.console.draw import clean


class NothingTyped(Exception):
    """Standard input has ended (Ctrl-D)."""


def at_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


async def read_line() -> str:
    """A line, without its end. Raises NothingTyped."""
    descriptor = sys.stdin.fileno()
    line = b""
    while not line.endswith(b"\n"):
        await wait_readable(descriptor)
        data = os.read(descriptor, 4096)  # of a terminal: one line at most
        if not data:
            if line:
                break
            raise NothingTyped
        line += data
    return line.decode(errors="replace").rstrip("\r\n")


async def ask(label: str, default: str = "") -> str:
    """One line; the default for an empty one. Raises NothingTyped."""
    shown = f" [{clean(default)}]" if default else ""
    click.echo(f"{clean(label)}{shown}: ", nl=False, err=True)
    return await read_line() or default


async def confirm(question: str, *, default: bool) -> bool:
    """Yes or no. Raises NothingTyped."""
    while True:
        typed = await ask(f"{question} [{'Y/n' if default else 'y/N'}]")
        match typed.strip().lower():
            case "":
                return default
            case "y" | "yes":
                return True
            case "n" | "no":
                return False
        click.echo("  not yes or no", err=True)
