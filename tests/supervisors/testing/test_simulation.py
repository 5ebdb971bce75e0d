"""The simulator: it holds on this kernel, and it finds what is wrong with a broken one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisors import _callback, _limits, _process, _timers
from supervisors._gen_event import handlers
from supervisors._gen_server import calls
from supervisors._gen_statem import engine
from supervisors._pg import groups
from supervisors._registry import entries
from supervisors._supervisor import dynamic, intensity, one_for_one, pacing, process, regular
from supervisors._sys import requests as system_requests
from supervisors._tasks import stream
from supervisors.testing import simulate
from supervisors.testing.simulation.campaign import campaign
from supervisors.testing.simulation.plan import (
    Branch,
    Fault,
    Plan,
    Worker,
    as_program,
    make_plan,
    walk,
)
from supervisors.testing.simulation.play import Violation, play, replay
from supervisors.testing.simulation.shrink import shrink
from supervisors.testing.simulation.subjects import FAULTS as KINDS
from supervisors.testing.simulation.subjects import WORKERS, aliases

ROOT = Path(__file__).parents[3]
FIRST_SEED = 10_000
FAULTS = 60_000
"""What a run of the tests plays; `make simulate` plays fresh seeds, as many as one likes."""


def plans_of_before() -> list[Plan]:
    """Plans that once found something wrong, as they were drawn then."""

    def node(data: dict[str, Any]) -> Any:
        if "children" not in data:
            return Worker(**data)
        return Branch(**{**data, "children": tuple(map(node, data["children"]))})

    plans = json.loads((ROOT / "tests/data/simulation/plans.json").read_text())
    return [
        Plan(plan["seed"], node(plan["tree"]), tuple(Fault(*fault) for fault in plan["faults"]))
        for plan in plans
    ]


@pytest.mark.parametrize("plan", plans_of_before(), ids=lambda plan: str(plan.seed))
def test_plans_of_before(plan: Plan) -> None:
    replay(plan)


def test_the_end_of_a_child_that_is_being_restarted_takes_its_siblings_restart_along() -> None:
    """What seed 3440830495 came upon: its siblings stay down, as in OTP, and are not lost."""
    children = tuple(Worker(f"root.0.{n}", kind="async") for n in range(3))
    tree = Branch("root", (Branch("root.0", children, "one_for_all", intensity=20),))
    faults = (
        Fault("suspend", "root.0", seconds=3.0),
        Fault("init", "root.0.0", number=4, seconds=5.0),  # slow to start, so there is time
        Fault("init", "root.0.1", number=6, pause=4.0),  # fails to start, after that
        Fault("admin", "root.0.1", number=1, pause=10.0),  # terminate_child, before the retry
    )
    replay(Plan(1, tree, faults))


def test_many_seeds() -> None:
    tally = campaign(FIRST_SEED, FAULTS, make=make_plan)
    if tally.failure is not None:
        plan, violation = tally.failure
        pytest.fail(violation if plan is None else simulate.explain(plan, violation))
    assert tally.faults >= FAULTS


def test_one_seed_one_run() -> None:
    for seed in range(5):
        plan = make_plan(seed, 100)
        assert plan == make_plan(seed, 100)
        first, second = play(plan), play(plan)
        assert first == second
        assert first.checks > 100


def test_trees_are_of_every_kind() -> None:
    nodes = [node for seed in range(300) for node in walk(make_plan(seed, 1).tree)]
    workers = [node for node in nodes if isinstance(node, Worker)]
    branches = [node for node in nodes if isinstance(node, Branch)]
    assert {node.kind for node in workers} == set(WORKERS)
    assert {node.policy for node in workers if node.limit} == {"refuse", "drop_oldest", "kill"}
    assert {node.behaviour for node in branches} == {"supervisor", "dynamic", "partition"}
    assert {node.restart for node in workers} == {"permanent", "transient", "temporary"}
    assert {node.auto_shutdown for node in branches} >= {"any_significant", "all_significant"}
    assert len({node.strategy for node in branches}) == 4
    assert any(node.id.count(".") > 2 for node in nodes)


def test_every_kind_of_fault_hits_somebody() -> None:
    assert set(campaign(500, 30_000, make=make_plan).injected) == set(KINDS)


def test_a_fault_that_is_not_made_for_its_target_hits_nobody() -> None:
    tree = Branch("root", (Worker("root.0"),))
    faults = (Fault("event", "root.0"), Fault("burst", "root.0"), Fault("enlist", "root.0", "root"))
    assert play(Plan(0, tree, faults)).injected.total() == 0


# --- a broken kernel ----------------------------------------------------------------------

Break = Callable[[pytest.MonkeyPatch], None]


def starts_twice(patch: pytest.MonkeyPatch) -> None:
    def restart(self: Any, child: Any) -> Iterator[Any]:
        yield from self.bring_back([child])
        return (yield from self.bring_back([child]))

    patch.setattr(one_for_one.OneForOne, "restart", restart)


def never_gives_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intensity.RestartWindow, "attempt", lambda _self, _now: True)


def gives_up_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intensity.RestartWindow, "attempt", lambda _self, _now: False)


def keeps_names(patch: pytest.MonkeyPatch) -> None:
    release = _process._release

    def forgetful(dying: Any, reason: Any) -> None:
        name = dying.name
        release(dying, reason)
        if name is not None:
            dying.runtime.names[name] = dying.pid

    patch.setattr(_process, "_release", forgetful)


def newest_mail_first(patch: pytest.MonkeyPatch) -> None:
    take = _callback.CallbackProcess.take_batch

    def reverse(self: Any) -> Any:
        if self.mailbox:
            self.mailbox.reverse()
        return take(self)

    patch.setattr(_callback.CallbackProcess, "take_batch", reverse)


def callers_are_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls.ParkedCall, "down", lambda _self, _pid, _reason: None)


def timeouts_never_come(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls.ParkedCall, "late", lambda _self: None)


def down_twice(patch: pytest.MonkeyPatch) -> None:
    down = _process.Monitor.down

    def twice(self: Any, pid: Any, reason: Any) -> None:
        down(self, pid, reason)
        self.watcher.more().monitors[self.ref] = self
        down(self, pid, reason)

    patch.setattr(_process.Monitor, "down", twice)


def forgets_retries(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(process, "cast", lambda _pid, _request: None)


def forgets_exits(patch: pytest.MonkeyPatch) -> None:
    def exited(_self: Any, _pid: Any, _reason: Any, _now: float) -> Iterator[Any]:
        yield from ()

    patch.setattr(regular.Regular, "exited", exited)


def stops_nobody(patch: pytest.MonkeyPatch) -> None:
    async def stop(_supervisor: Any, pids: Any, *_shutdown: Any) -> dict[Any, Any]:
        return dict.fromkeys(pids, "shutdown")

    patch.setattr(process, "stop_children", stop)


def supervisors_crash(patch: pytest.MonkeyPatch) -> None:
    def count(_self: Any, _alive: Any) -> None:
        raise LookupError("nobody can count")

    patch.setattr(regular.Regular, "count_children", count)


def timers_are_early(patch: pytest.MonkeyPatch) -> None:
    add = _timers.Timers.add
    patch.setattr(
        _timers.Timers, "add", lambda self, delay, fire, dest=None: add(self, delay / 2, fire, dest)
    )


def registries_list_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(entries.Owner, "down", lambda _self, _pid, _reason: None)


def registries_tell_twice(patch: pytest.MonkeyPatch) -> None:
    tell = entries.Table.tell

    def twice(self: Any, message: Any) -> None:
        tell(self, message)
        tell(self, message)

    patch.setattr(entries.Table, "tell", twice)


def the_newest_is_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_callback.CallbackProcess, "_drop_oldest", lambda self: self.mailbox.pop())


def the_refused_are_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_limits, "refuse", lambda _process, _message: None)


def aliases_do_not_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aliases, "unalias", lambda _ref: True)


def the_postponed_come_in_reverse(patch: pytest.MonkeyPatch) -> None:
    finish = engine.Engine._finish

    def reverse(self: Any) -> None:
        self.postponed.reverse()
        finish(self)

    patch.setattr(engine.Engine, "_finish", reverse)


def tasks_survive_their_owners(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stream.Stream, "down", lambda _self, _pid, _reason: None)


def there_is_always_room(patch: pytest.MonkeyPatch) -> None:
    init = dynamic.Dynamic.__init__

    def roomy(self: Any, flags: Any, max_children: float, *more: Any) -> None:
        init(self, flags, max_children + 1, *more)

    patch.setattr(dynamic.Dynamic, "__init__", roomy)


def owners_are_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(handlers, "_tell", lambda _one, _reason, _message: None)


def pauses_are_short(patch: pytest.MonkeyPatch) -> None:
    pause = pacing.Backoff.pause
    patch.setattr(pacing.Backoff, "pause", lambda self, step: pause(self, step) / 2)


def groups_keep_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(groups.Groups, "leave", lambda _self, _group, _pids: None)


def code_changes_while_it_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(system_requests, "is_suspended", lambda _process: True)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (starts_twice, "runs twice|does not know it"),
        (never_gives_up, "more often than its (own )?budget"),
        (gives_up_early, "gave up within its restart budget"),
        (keeps_names, "the name .* belongs to .*, which is gone"),
        (newest_mail_first, "heard number"),
        (callers_are_not_told, "keeps a call|which has ended"),
        (timeouts_never_come, "past its time limit"),
        (down_twice, "second DOWN|came after it was over"),
        (forgets_retries, "forgotten to try the restart|lost its permanent child"),
        (forgets_exits, "believes in its child"),
        (stops_nobody, "does not know it|orphan|runs twice"),
        (supervisors_crash, "SimulatedBranch crashed: .*nobody can count"),
        (timers_are_early, "before its time|fired at .*, due at"),
        (registries_list_the_dead, "lists .*, which is gone"),
        (registries_tell_twice, "a listener heard"),
        (the_newest_is_dropped, "a burst of .* left"),
        (the_refused_are_not_told, "dropped without a word"),
        (aliases_do_not_end, "through an alias that had ended"),
        (the_postponed_come_in_reverse, "before postponed"),
        (tasks_survive_their_owners, "works on for .*, which has ended"),
        (there_is_always_room, "max_children"),
        (owners_are_not_told, "was not told of the end"),
        (pauses_are_short, "before its pause was over"),
        (groups_keep_the_dead, "has the member .*, which is gone"),
        (code_changes_while_it_runs, "took new code while it ran"),
    ],
)
def test_a_broken_kernel_is_found_out(
    broken: Break, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    tally = campaign(0, 20_000, make=make_plan)
    assert tally.failure is not None
    with pytest.raises(AssertionError, match=found):
        raise AssertionError(tally.failure[1])


def test_a_failing_plan_is_made_small_and_prints_as_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgets_exits(monkeypatch)
    tally = campaign(0, 20_000, make=make_plan)
    assert tally.failure is not None
    plan, _ = tally.failure
    assert plan is not None
    small = shrink(plan)
    assert len(small.faults) <= 2
    assert len(list(walk(small.tree))) == 2
    program = as_program(small)
    with pytest.raises(Violation, match="believes in its child"):
        exec(program, {})
    monkeypatch.undo()
    exec(program, {})


def test_records_that_outlive_their_simulations_are_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[Any] = []
    release = _process._release

    def keep(dying: Any, reason: Any) -> None:
        kept.append(dying)
        release(dying, reason)

    monkeypatch.setattr(_process, "_release", keep)
    tally = campaign(0, 20_000, faults=20, make=make_plan)
    assert tally.failure is not None
    assert tally.failure[0] is None
    assert "process records outlive" in tally.failure[1]


def test_a_driver_that_falls_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("in the kernel")

    monkeypatch.setattr("supervisors.testing.simulation.play.inject", broken)
    assert "ZeroDivisionError" in str(play(make_plan(1, 5)).violation)


# --- the command --------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisors.testing.simulate", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_command_plays_one_seed() -> None:
    result = command("--seed", "3", "--faults", "50")
    assert (result.returncode, result.stderr) == (0, "")
    assert "first seed 3" in result.stdout
    assert "in 1 simulations" in result.stdout
    assert "all invariants held" in result.stdout


def test_the_command_plays_until_a_total() -> None:
    result = command("--total", "1000", "--faults", "50")
    assert result.returncode == 0
    assert "first seed" in result.stdout


def test_the_command_refuses_nonsense() -> None:
    result = command("--faults", "0")
    assert result.returncode == 2
    assert "numbers from 1 up" in result.stderr


def test_the_command_prints_a_failing_seed_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forgets_exits(monkeypatch)
    assert simulate.main(["--seed", "0", "--total", "20000"]) == 1
    shown = capsys.readouterr().out
    assert "to repeat: python -m supervisors.testing.simulate --seed" in shown
    assert "replay(Plan(" in shown


def test_an_empty_plan_comes_back_to_the_floor() -> None:
    assert play(Plan(0, Branch("root", (Worker("root.0"),)), ())).violation is None
