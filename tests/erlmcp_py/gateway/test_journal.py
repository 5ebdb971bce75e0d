"""What is kept of an upstream's last words."""

from __future__ import annotations

from erlmcp_py.gateway.journal import LINES, LONGEST, Journal, Line


def test_the_last_lines_are_kept_in_their_order_and_no_more() -> None:
    clock = iter(range(10_000))
    journal = Journal(lambda: next(clock))
    assert list(journal) == []
    journal.began(7, "serve")
    for number in range(LINES + 50):
        journal.said(f"line {number}")
    kept = list(journal)
    assert len(kept) == LINES
    assert kept[0] == Line(51, 7, "said", "line 50")
    assert kept[-1].text == f"line {LINES + 49}"


def test_a_long_line_is_cut() -> None:
    journal = Journal()
    journal.said("x" * LONGEST)
    journal.said("x" * (LONGEST + 1))
    assert [line.text for line in journal] == ["x" * LONGEST, "x" * (LONGEST - 1) + "…"]


def test_the_last_of_each_kind_is_known_after_its_lines_are_gone() -> None:
    journal = Journal(lambda: 5.0)
    journal.failed("there is no such program")
    journal.began(7, "serve")
    journal.ended(7, "ended with status 4")
    journal.began(8, "serve")
    for _ in range(LINES):
        journal.said("well")
    assert journal.last["ended"] == Line(5.0, 7, "ended", "ended with status 4")
    assert journal.last["failed"] == Line(5.0, None, "failed", "there is no such program")
    assert journal.last["said"].pid == 8
