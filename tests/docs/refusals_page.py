"""``python -m tests.docs.refusals_page``: write the table of `docs/refusals.md` anew from the catalogue.

What stands between the two marks of the page is made here; the rest is written by hand.
"""

from __future__ import annotations

import re
from typing import Final

from erlmcp_py.protocol.refusals import TABLE, Refusal

from .pages import ROOT

PAGE: Final = ROOT / "docs" / "refusals.md"
BEGIN: Final = "<!-- table: begin -->"
END: Final = "<!-- table: end -->"

GROUPS: Final = (
    (1001, "Queue: too much waits"),
    (1011, "Authentication and authorization"),
    (1021, "Parameters and headers"),
    (1036, "Paths and addresses"),
    (1046, "Tools, resources, prompts, tasks"),
    (1056, "Rates and shares"),
    (1066, "Protocol and transport"),
    (1076, "State of the node"),
    (1086, "Breakers and health"),
)
_HEAD: Final = (
    "| code | name | says | HTTP | JSON-RPC | retry after | severity | what the caller can do |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def table() -> str:
    """The catalogue in Markdown, a table for each range of codes."""
    parts = []
    begins = [begin for begin, _ in GROUPS] + [10_000]
    for (begin, title), end in zip(GROUPS, begins[1:], strict=True):
        rows = [_row(entry) for code, entry in TABLE.items() if begin <= code < end]
        parts.append(f"### {title}\n\n" + "\n".join([_HEAD, *rows]))
    return "\n\n".join(parts)


def page(text: str) -> str:
    """The page's text with the table as it is now."""
    made = f"{BEGIN}\n\n{table()}\n\n{END}"
    found, number = re.subn(
        f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: made, text, flags=re.S
    )
    if number != 1:
        raise ValueError(f"{PAGE} needs {BEGIN} and {END}, once")
    return found


def _row(entry: Refusal) -> str:
    wait = "-" if entry.retry_after is None else f"{entry.retry_after} s"
    cells = (
        str(entry.code),
        f"`{entry.name}`",
        entry.message,
        _several(entry.statuses),
        _several(entry.errors),
        wait,
        entry.severity,
        entry.hint,
    )
    return "| " + " | ".join(cells) + " |"


def _several(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
