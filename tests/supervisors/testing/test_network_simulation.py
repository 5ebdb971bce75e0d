"""The simulator of several nodes: it holds on this kernel, and it finds what is wrong with a
broken one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from supervisors._pg import scope
from supervisors._pid import Alias
from supervisors._process import info
from supervisors.distribution.endpoint import Caller, Endpoint
from supervisors.distribution.global_ import GlobalNames
from supervisors.distribution.links import Links
from supervisors.distribution.memory import Port
from supervisors.distribution.remote import RemoteProcess, RemoteWatches, Watcher
from supervisors.testing import simulate
from supervisors.testing.simulation.campaign import campaign
from supervisors.testing.simulation.kinds import as_program, make
from supervisors.testing.simulation.network.plan import (
    Member,
    NetworkPlan,
    Station,
    make_network_plan,
)
from supervisors.testing.simulation.network.play import play, replay
from supervisors.testing.simulation.network.subjects import FAULTS
from supervisors.testing.simulation.play import Outcome, Violation
from supervisors.testing.simulation.shrink import shrink
from supervisors.testing.simulation.tree import Fault, Plan

SEEDS = range(100)
"""What a run of the tests plays; `make simulate` plays fresh seeds, as many as one likes."""


@pytest.mark.parametrize("seed", [1, 7, 36, 77, 120, 193, 195, 199, 538, 716, 1071])
def test_seeds_of_before(seed: int) -> None:
    replay(make_network_plan(seed, 100))


def test_who_links_to_one_that_ended_with_noproc_hears_it_for_every_link() -> None:
    """Its own reason, and what a link to somebody who is not there brings, are the same word."""
    faults = (
        Fault("suspend", "a/w2", "b/w0", 10, 1.0, 0.0),
        Fault("farewell", "a/w1", "b/w1", 18, 1.0, 0.0),
        Fault("stop", "b/w1", "a/w0", 20, 1.0, 0.0),
        Fault("unregister", "a/w2", "a/w0", 31, 1.0, 0.275),
        Fault("relink", "a/w1", "a/w2", 11, 1.0, 0.0),
    )
    kinds = {"a": (True, False, True), "b": (True, True)}
    stations = tuple(
        Station(
            node, tuple(Member(f"w{n}", "plain", traps=traps) for n, traps in enumerate(members))
        )
        for node, members in kinds.items()
    )
    replay(NetworkPlan(159725287, stations, faults, delay=0.2))


def test_many_seeds() -> None:
    injected: Counter[str] = Counter()
    for seed in SEEDS:
        plan = make_network_plan(seed, 100)
        outcome = play(plan)
        if outcome.violation is not None:
            pytest.fail(simulate.explain(plan, outcome.violation))
        injected.update(outcome.injected)
    assert set(injected) == {f"network {kind}" for kind in FAULTS}


def test_one_seed_one_run() -> None:
    for seed in range(5):
        plan = make_network_plan(seed, 100)
        assert plan == make_network_plan(seed, 100)
        first, second = play(plan), play(plan)
        assert first == second
        assert first.reports > 20


def test_plans_are_of_every_kind() -> None:
    plans = [make_network_plan(seed, 1) for seed in range(100)]
    members = [member for plan in plans for station in plan.stations for member in station.members]
    assert {len(plan.stations) for plan in plans} == {2, 3, 4}
    assert {member.kind for member in members} == {"plain", "async", "task"}
    assert {member.traps for member in members} == {True, False}
    assert len({plan.delay for plan in plans}) > 2


def test_a_campaign_plays_both_kinds() -> None:
    assert {type(make(seed, 1)) for seed in range(4)} == {Plan, NetworkPlan}
    tally = campaign(0, 1500, 100)
    assert tally.failure is None
    assert any(kind.startswith("network ") for kind in tally.injected)
    assert not all(kind.startswith("network ") for kind in tally.injected)


# --- a broken kernel -------------------------------------------------------------------------

Break = Callable[[pytest.MonkeyPatch], None]


def nothing(*_args: Any) -> None:
    """What a broken kernel does instead."""


def unlinks_one_end(patch: pytest.MonkeyPatch) -> None:
    def acknowledge(self: Any, number: int, theirs: Any, ours: Any) -> None:
        self._endpoint.send(theirs.node, signals.UnlinkAck(number, ours, theirs))

    from supervisors.distribution import signals

    patch.setattr(Links, "unlinked", acknowledge)


def links_without_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """As before OTP 23: whoever has unlinked takes any link that comes."""

    def linked(self: Any, theirs: Any, ours: Any) -> None:
        self.unlinking.pop((ours, theirs), None)
        real(self, theirs, ours)

    real = Links.linked
    patch.setattr(Links, "linked", linked)


def watches_outlive_the_connection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RemoteWatches, "fire_all", nothing)


def links_outlive_the_connection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RemoteProcess, "lost", lambda self: self.watches.fire_all())


def downs_have_another_reason(patch: pytest.MonkeyPatch) -> None:
    real = Watcher.down
    patch.setattr(Watcher, "down", lambda self, pid, _reason: real(self, pid, "noconnection"))


def conflicts_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GlobalNames, "_clash", nothing)


def names_are_passed_on(patch: pytest.MonkeyPatch) -> None:
    """Each node tells of all names it knows, not only of its own."""

    def up(self: Any, node: str) -> None:
        known = [(term, pid) for term, holders in self._table.items() for pid in holders]
        self._endpoint.send(node, signals.Service("global", ("sync", known)))

    from supervisors.distribution import signals

    patch.setattr(GlobalNames, "_up", up)


def nothing_under_way_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Port, "_lose", nothing)


def signals_overtake(patch: pytest.MonkeyPatch) -> None:
    take = Port._take

    def forgetful(self: Any, sender: Any, data: bytes, objects: list[Any]) -> None:
        self._last.clear()
        take(self, sender, data, objects)

    patch.setattr(Port, "_take", forgetful)


def exits_come_twice(patch: pytest.MonkeyPatch) -> None:
    deliver = Endpoint.deliver

    def twice(self: Any, node: str, signal: Any) -> None:
        deliver(self, node, signal)
        if type(signal).__name__ == "Exit" and not signal.linked:
            deliver(self, node, signal)

    patch.setattr(Endpoint, "deliver", twice)


def nodes_come_when_they_go(patch: pytest.MonkeyPatch) -> None:
    """Nodes are said to have gone when they come, and the other way round."""
    tell = Endpoint._tell
    other = {"nodeup": "nodedown", "nodedown": "nodeup"}
    patch.setattr(Endpoint, "_tell", lambda self, what, node: tell(self, other[what], node))


def groups_keep_the_lost(patch: pytest.MonkeyPatch) -> None:
    gone = scope._gone

    def forgetful(state: Any, ref: Any) -> None:
        if state.watching[ref][0] != "peer":
            gone(state, ref)

    patch.setattr(scope, "_gone", forgetful)


def aliases_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Alias, "_post", lambda self, message: self.owner.pid._post(message))


def monitors_stay(patch: pytest.MonkeyPatch) -> None:
    def pop(self: Any, key: Any, default: Any = None) -> Any:
        self.process.endpoint.asked.pop(self.numbers.pop(key, None), None)
        return dict.pop(self, key, default)

    patch.setattr(RemoteWatches, "pop", pop)


def replies_are_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Caller, "answer", nothing)


def names_are_kept_free_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GlobalNames, "_freed", nothing)


def messages_come_twice(patch: pytest.MonkeyPatch) -> None:
    def post(self: Any, to: Any, message: Any) -> None:
        real(self, to, message)
        real(self, to, info(message))

    real = Endpoint._post
    patch.setattr(Endpoint, "_post", post)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (unlinks_one_end, "which is not linked to it"),
        (watches_outlive_the_connection, "whose node is not connected|was lost|is not connected"),
        (links_outlive_the_connection, "is linked to .*, whose node is not connected"),
        (downs_have_another_reason, "noconnection, and (the connection stands|nobody ended so)"),
        (conflicts_stay, "has not one holder, the same everywhere"),
        (names_are_passed_on, "has not one holder|whose node is not connected"),
        (nothing_under_way_is_lost, "after number|over no connection|is not connected|between"),
        (signals_overtake, "next after number|after number|not linked to it"),
        (exits_come_twice, "twice, or another's"),
        (nodes_come_when_they_go, "hears twice|was told of"),
        (groups_keep_the_lost, "the groups of .* elsewhere"),
        (aliases_stay, "by an alias that had ended|by an alias after"),
        (monitors_stay, "asked .* for monitors"),
        (replies_are_lost, "which has answered"),
        (names_are_kept_free_for_ever, "keeps names free for nobody"),
        (messages_come_twice, "after number|heard broadcast"),
    ],
)
def test_a_broken_kernel_is_found_out(
    broken: Break, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    violation = first_violation()
    assert violation is not None
    with pytest.raises(AssertionError, match=found):
        raise AssertionError(violation)


def first_violation() -> str | None:
    outcomes = (play(make_network_plan(seed, 100)) for seed in range(300))
    return next((outcome.violation for outcome in outcomes if outcome.violation), None)


def both_ends_change_their_minds(seed: int) -> NetworkPlan:
    draw = random.Random(seed)
    ends = "a/w0", "b/w0"
    faults = [
        Fault(draw.choice(("link", "unlink")), *draw.sample(ends, 2), pause=draw.choice((0.0, 0.1)))
        for _ in range(60)
    ]
    return replace(TWO, seed=seed, faults=tuple(faults), delay=0.2)


def test_links_whose_unlinks_are_not_acknowledged_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans = [both_ends_change_their_minds(seed) for seed in range(20)]
    assert [play(plan).violation for plan in plans] == [None] * len(plans)
    links_without_acknowledgement(monkeypatch)
    violations = [play(plan).violation for plan in plans]
    assert any("which is not linked to it" in str(violation) for violation in violations)


# --- making it small ---------------------------------------------------------------------------


def test_a_failing_plan_is_made_small_and_prints_as_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links_outlive_the_connection(monkeypatch)
    plans = (make_network_plan(seed, 100) for seed in range(100))
    plan = next(plan for plan in plans if play(plan).violation is not None)
    small = shrink(plan)
    assert len(small.faults) <= 3
    assert len([member for station in small.stations for member in station.members]) <= 3
    program = as_program(small)
    with pytest.raises(Violation, match="whose node is not connected"):
        exec(program, {})
    monkeypatch.undo()
    exec(program, {})


def test_the_command_explains_a_plan_of_several_nodes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conflicts_stay(monkeypatch)
    seeds = (seed for seed in range(3, 400, 4) if play(make_network_plan(seed, 200)).violation)
    assert simulate.main(["--seed", str(next(seeds))]) == 1
    shown = capsys.readouterr().out
    assert "has not one holder" in shown
    assert "replay(NetworkPlan(" in shown


# --- plans by hand -----------------------------------------------------------------------------

TWO = NetworkPlan(1, (Station("a", (Member("w0"),)), Station("b", (Member("w0"),))), ())


def test_an_empty_plan_comes_back_to_the_floor() -> None:
    assert play(TWO) == Outcome(checks=2, reports=4)


def test_a_node_that_stops_and_returns() -> None:
    kinds = ("link", "monitor", "register", "join", "stop_node", "return_nodes", "call")
    faults = tuple(Fault(kind, "b/w0", "a/w0", number=4, pause=1.0) for kind in kinds)
    outcome = play(replace(TWO, faults=faults))
    assert outcome.violation is None
    assert outcome.injected == {f"network {kind}": 1 for kind in kinds}


def test_a_fault_that_finds_nobody_is_not_counted() -> None:
    faults = (Fault("stop_node", "b/w0", "a/w0"), Fault("link", "b/w0", "a/w0"))
    outcome = play(replace(TWO, faults=faults))
    assert outcome.injected == {"network stop_node": 1}
