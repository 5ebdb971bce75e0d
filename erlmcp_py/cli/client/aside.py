"""What is said beside the result: lines on standard error, and a bar while progress is reported, where
that is a terminal.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.notifications import ProgressParams

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Aside:
    """Of one command."""

    def __init__(self) -> None:
        self._bar: tuple[Progress, TaskID] | None = None

    def say(self, text: str) -> None:
        """A line, or several."""
        if self._bar is None:
            click.echo(clean(text), err=True)
        else:
            from rich.text import Text

            self._bar[0].console.print(Text(clean(text)))

    def progressed(self, params: ProgressParams) -> None:
        """How far a request has come."""
        of = "" if params.total is None else f" of {params.total:g}"
        text = f"{params.progress:g}{of}" + (f": {params.message}" if params.message else "")
        if not sys.stderr.isatty():
            self.say(f"progress {text}")
            return
        if self._bar is None:
            self._bar = _bar()
        bar, task = self._bar
        bar.update(
            task,
            completed=params.progress,
            total=params.total,
            text=clean(" ".join(text.split())),
            refresh=True,
        )

    def clear(self) -> None:
        """Without a bar: the next thing on the terminal is something else."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None


def _bar() -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    screen = Console(stderr=True, markup=False, emoji=False, highlight=False)
    text = TextColumn("{task.fields[text]}", markup=False)
    bar = Progress(BarColumn(), text, console=screen, transient=True, auto_refresh=False)
    bar.start()
    return bar, bar.add_task("", total=None, text="")
