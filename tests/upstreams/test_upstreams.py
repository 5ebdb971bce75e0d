"""Faults of upstreams while clients work, from a fixed seed; `make upstreams N=500` plays more of them."""

from __future__ import annotations

import itertools
import os
import types
from collections import Counter
from pathlib import Path

import pytest
import trio

from tests.upstreams.book import Patient, Said, read
from tests.upstreams.faults import PIPES, WEB, plan
from tests.upstreams.play import play
from tests.upstreams.world import NAMES, VICTIMS, Violation, World


def test_whatever_is_done_to_upstreams_only_their_own_calls_fail_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    outcome = play(3, 10, tmp_path)
    assert outcome.done.total() == 10
    assert all(patient.answered > 10 for patient in outcome.patients.values())
    assert outcome.refusals
    assert len(outcome.recoveries) > 2


class TestThePlan:
    def test_a_seed_has_one(self) -> None:
        assert plan(1, 500, VICTIMS) == plan(1, 500, VICTIMS) != plan(2, 500, VICTIMS)

    def test_all_is_done_and_to_everybody(self) -> None:
        faults = plan(1, 502, VICTIMS)
        assert sum(map(len, faults.values())) == 502
        done = Counter(fault.kind for fault in itertools.chain(*faults.values()))
        assert done.keys() == PIPES.keys() | WEB.keys()
        assert {len(each) for each in faults.values()} == {100, 101}


class TestTheBook:
    """It is worth something only if it notices."""

    def answered(self, patient: Patient, pid: int) -> None:
        patient.good(Said(patient.name, pid, 0.0, "t"), "t")

    async def test_a_call_that_fails_though_nothing_was_done(self) -> None:
        patient = Patient("ada")
        with pytest.raises(Violation, match="nothing was done to ada"):
            patient.refused(OSError("ada is down"), trio.current_time(), meant_to=False)
        patient.refused(OSError("ada is down"), trio.current_time(), meant_to=True)

    async def test_a_call_fails_while_something_is_done_and_not_behind_it(self) -> None:
        patient = Patient("ada")
        self.answered(patient, 1)
        before = trio.current_time()
        patient.trouble(lambda said: said.pid != 1)
        self.answered(patient, 1)
        patient.refused(OSError("ada is down"), before, meant_to=False)
        self.answered(patient, 2)
        assert (await patient.well(0)).said.pid == 2
        patient.refused(OSError("ada was lost"), before, meant_to=False)
        while trio.current_time() == before:
            await trio.lowlevel.checkpoint()
        with pytest.raises(Violation, match="nothing was done"):
            patient.refused(OSError("ada is down"), trio.current_time(), meant_to=False)

    async def test_one_that_does_not_come_back(self) -> None:
        patient = Patient("ada")
        patient.trouble(lambda _said: False)
        self.answered(patient, 1)
        with pytest.raises(Violation, match="ada is not back"):
            await patient.well(0)

    async def test_an_error_that_does_not_say_whose_it_is(self) -> None:
        with pytest.raises(Violation, match="does not name it"):
            Patient("ada").refused(OSError("no"), trio.current_time(), meant_to=True)

    @pytest.mark.parametrize("said", [Said("bob", 1, 0.0, "t"), Said("ada", 1, 0.0, "u")])
    async def test_the_answer_of_another_call(self, said: Said) -> None:
        with pytest.raises(Violation, match="asked ada for 't'"):
            Patient("ada").good(said, "t")

    @pytest.mark.parametrize("text", ["", "[]", '{"name": "ada"}'])
    def test_what_no_tool_says(self, text: str) -> None:
        with pytest.raises(Violation, match="no answer of an upstream"):
            read(types.SimpleNamespace(content=[types.SimpleNamespace(text=text)]))


class TestTheWorld:
    def test_failures_of_the_node_are_found_in_its_log(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        lines = [
            "2026-11-21T11:37:12Z info     <n.31.0> dan: Traceback (most recent call last):",
            "2026-11-21T11:37:12Z error    <n.30.0> crash: subscription (a:b) ended with exit (lost, x)",
            "2026-11-21T11:37:12Z error    <n.30.0> crash: keeper ada (a:b) ended with error ValueError",
        ]
        (tmp_path / "node.log").write_text("\n".join(lines))
        assert world.failures() == lines[2:]

    def test_programs_are_those_of_this_campaign(self, tmp_path: Path) -> None:
        assert World(tmp_path).programs() == []
        assert os.getpid() not in World(tmp_path).programs()
        assert set(VICTIMS) < set(NAMES)
