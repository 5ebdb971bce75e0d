"""What the page about troubleshooting says the node says, the node says."""

from __future__ import annotations

import re

import pytest

from .pages import ROOT

PAGE = ROOT / "docs" / "troubleshooting-upstreams.md"
OF_OTHERS = {
    "_meta", "down", "erlmcp-py/upstreams", "no connection", "HTTP 401", "HTTP 403", "HTTP 404",
    "the upstream … is down since …",
}  # fmt: skip
"""In the first column, and no words of an error: or with figures put in."""


def told() -> list[str]:
    """What stands in backquotes in the first columns, tables of states apart."""
    text = PAGE.read_text("utf-8").partition("## It does not start")[2]
    rows = re.findall(r"^\| (.*?) \| .* \|$", text, re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def source() -> str:
    """All of the code in one line, texts in one piece, what is put into them shown as on the page."""
    text = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "erlmcp_py").rglob("*.py")))
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\{[^{}]*\}", "…", text)


SOURCE = source()


@pytest.mark.parametrize("text", sorted(set(told()) - OF_OTHERS))
def test_the_node_says_so(text: str) -> None:
    for part in filter(None, (part.strip() for part in text.split("…"))):
        part = re.sub(r"SIG[A-Z]+", "", part).strip()
        assert part in SOURCE, part


def test_there_are_such_texts() -> None:
    assert len(told()) > 25
