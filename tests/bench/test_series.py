"""How rounds become a judgement: the ratio is formed per round, the median is judged."""

import pytest

from bench.report import number, table, verdict
from bench.series import Goal, Measured, Row


def measured(better, goals, pairs):
    line = Measured(Row("k", "kernel", "a row", "ms", "a peer", better, goals))
    for ours, peer in pairs:
        line.add(ours, peer)
    return line


def test_ratio_is_paired_by_round():
    # Round two was taken while the machine was slow for both sides.
    line = measured("more", (), [(40.0, 10.0), (8.0, 2.0), (44.0, 11.0)])
    assert line.ratios() == [4.0, 4.0, 4.0]


def test_ratio_says_how_many_times_better_whatever_is_measured():
    assert measured("less", (), [(2.0, 10.0)]).ratios() == [5.0]
    assert measured("more", (), [(2.0, 10.0)]).ratios() == [0.2]


def test_goals_are_judged_on_medians():
    ratio, own = Goal("ratio", 4.0, "X"), Goal("ours", 3.0, "X")
    line = measured("more", (ratio, own), [(4.0, 1.0), (3.0, 1.0), (2.0, 2.0)])
    assert not line.reached(ratio)
    assert line.reached(own)
    assert [goal["reached"] for goal in line.as_json()["goals"]] == [False, True]


def test_report_names_what_was_missed():
    line = measured("more", (Goal("ratio", 4.0, "X"),), [(1.0, 1.0)])
    assert verdict([line]) == "0 of 1 goals met. Missed: a row ≥ 4 × (X)."
    assert "| ≥ 4 × (X) | **miss** |" in table([line])


def test_numbers_keep_three_figures():
    assert [number(n) for n in (0.03471, 7.3456, 382.4, 3_390_043.2)] == [
        "0.0347",
        "7.35",
        "382",
        "3,390,043",
    ]


def test_row_alone_has_no_ratio_and_is_judged_by_its_direction():
    goal = Goal("ours", 1_800_000, "X")
    line = Measured(Row("k", "scale", "lookups", "/s", "", "more", (goal,)))
    line.add(1_700_000.0)
    assert line.ratios() == []
    assert line.as_json()["ratio_median"] is None
    assert not line.reached(goal)
    assert "| - | - | ≥ 1,800,000 /s (X) | **miss** |" in table([line])
    late = Measured(Row("k", "scale", "timer", "ms", "", "less", (Goal("ours", 5.0, "X"),)))
    late.add(4.0)
    assert late.reached(late.row.goals[0])


def test_peer_figure_is_there_exactly_where_the_row_has_a_peer():
    with pytest.raises(ValueError, match="peer figure None beside peer 'a peer'"):
        measured("more", (), []).add(1.0)
    with pytest.raises(ValueError, match="beside peer ''"):
        Measured(Row("k", "scale", "alone", "/s", "", "more")).add(1.0, 2.0)


def test_peers_of_one_load_share_a_row():
    lines = [
        Measured(Row(f"k.{peer}", "kernel", "a row", "/s", peer, "more", goals))
        for peer, goals in (("one", (Goal("ratio", 4.0, "X"),)), ("other", ()))
    ]
    for line, figure in zip(lines, (2.0, 5.0), strict=True):
        line.add(10.0, figure)
    *_, row = table(lines).splitlines()
    assert row.startswith(
        "| a row | /s | 10 (10-10) | 2 (2-2) one<br>5 (5-5) other | **5** (5-5)<br>**2** (2-2) "
        "| ≥ 4 × (X)<br>- | pass<br>- |"
    )


def test_what_cannot_be_measured_is_reported_and_misses_its_goals():
    line = Measured(Row("k", "kernel", "a row", "/s", "", "more", (Goal("ours", 4.0, "X"),)))
    line.absent = "the node has no wings"
    assert "| a row | /s | not available: the node has no wings | - | - |" in table([line])
    assert verdict([line]).startswith("0 of 1 goals met")
    assert line.as_json()["absent"] == "the node has no wings"
