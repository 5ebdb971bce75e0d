"""The simulator: it holds on this kernel, and it finds what is wrong with a broken one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisors import _callback, _process, _timers
from supervisors._gen_server import calls
from supervisors._supervisor import intensity, one_for_one, process, regular
from supervisors.testing import simulate
from supervisors.testing.simulation.campaign import campaign
from supervisors.testing.simulation.plan import Branch, Plan, Worker, as_program, make_plan, walk
from supervisors.testing.simulation.play import Violation, play, replay
from supervisors.testing.simulation.shrink import shrink

ROOT = Path(__file__).parents[3]
FIRST_SEED = 10_000
FAULTS = 60_000
"""What a run of the tests plays; `make simulate` plays fresh seeds, as many as one likes."""


@pytest.mark.parametrize("seed", [0, 71, 88, 91, 1096, 5756, 17487, 3440830495])
def test_seeds_of_before(seed: int) -> None:
    replay(make_plan(seed, 200))


def test_many_seeds() -> None:
    tally = campaign(FIRST_SEED, FAULTS)
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
        assert first.reports > 20


def test_trees_are_of_every_kind() -> None:
    nodes = [node for seed in range(300) for node in walk(make_plan(seed, 1).tree)]
    workers = [node for node in nodes if isinstance(node, Worker)]
    branches = [node for node in nodes if isinstance(node, Branch)]
    assert {node.kind for node in workers} == {"plain", "async", "task"}
    assert {node.restart for node in workers} == {"permanent", "transient", "temporary"}
    assert {node.auto_shutdown for node in branches} >= {"any_significant", "all_significant"}
    assert len({node.strategy for node in branches}) == 4
    assert any(node.id.count(".") > 2 for node in nodes)


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
    patch.setattr(_timers.Timers, "add", lambda self, delay, fire: add(self, delay / 2, fire))


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (starts_twice, "runs twice|does not know it"),
        (never_gives_up, "more often than its budget"),
        (gives_up_early, "gave up within its restart budget"),
        (keeps_names, "the name .* belongs to .*, which is gone"),
        (newest_mail_first, "heard number"),
        (callers_are_not_told, "keeps a call|which has ended"),
        (timeouts_never_come, "past its time limit"),
        (down_twice, "second DOWN"),
        (forgets_retries, "forgotten to try the restart|lost its permanent child"),
        (forgets_exits, "believes in its child"),
        (stops_nobody, "does not know it|orphan|runs twice"),
        (supervisors_crash, "SimulatedBranch crashed: .*nobody can count"),
        (timers_are_early, "before its time"),
    ],
)
def test_a_broken_kernel_is_found_out(
    broken: Break, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    tally = campaign(0, 20_000)
    assert tally.failure is not None
    with pytest.raises(AssertionError, match=found):
        raise AssertionError(tally.failure[1])


def test_a_failing_plan_is_made_small_and_prints_as_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgets_exits(monkeypatch)
    tally = campaign(0, 20_000)
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
    tally = campaign(0, 20_000, faults=20)
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
