"""The page about refusals is the catalogue."""

from __future__ import annotations

from .refusals_page import PAGE, page


def test_the_page_is_the_catalogue() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), "run: python -m tests.docs.refusals_page"
