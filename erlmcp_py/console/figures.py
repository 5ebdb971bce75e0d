"""A table of figures about things with names, on terminals of any width.

What a figure is about counts more than the figure. So where there is no room, columns are left out, the
least important first, until the names have `ENOUGH` columns; only then names are cut. rich by itself cuts
the names, down to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

ENOUGH = 24
"""Columns of a name by which it is told from others."""


class Figures:
    """Rows under `columns`. flexible: the column of the names. spare: columns that may be left out, the
    first one first.
    """

    def __init__(self, *columns: str, flexible: str, spare: Sequence[str]) -> None:
        self._columns = columns
        self._flexible = flexible
        self._spare = spare
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Cells from the left; what is missing is empty."""
        row = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
        self._rows.append(row + [Text()] * (len(self._columns) - len(row)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._fitting(options.max_width)
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for index in shown:
            name = self._columns[index]
            right = name not in ("process", "state", "pid")
            table.add_column(
                name, justify="right" if right else "left", no_wrap=name != self._flexible
            )
        for row in self._rows:
            table.add_row(*(row[index] for index in shown))
        yield table

    def _fitting(self, width: int) -> list[int]:
        """The indices of the columns that there is room for."""
        widths = {
            name: max(len(name), *(row[index].cell_len for row in self._rows))
            for index, name in enumerate(self._columns)
            if self._rows
        }
        left_out: set[str] = set()
        if self._rows:
            names = min(widths.pop(self._flexible), ENOUGH)
            for name in self._spare:
                if names + sum(widths.values()) + len(widths) <= width:
                    break
                left_out.add(name)
                del widths[name]
        return [index for index, name in enumerate(self._columns) if name not in left_out]
