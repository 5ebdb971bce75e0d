"""Monitors whose signals cross on the way: one DOWN each or none, and nothing is left (P9, P10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

import pytest

import supervisors as otp

from .exploring import World, explore, other


class Case:
    """Both processes watch each other, by pid or by name, and stop, and end.

    watching: the monitors of each that neither fired nor were removed, oldest first.
    """

    def __init__(self, operations: int, cuts: int) -> None:
        self.world = World()
        self.budget = dict.fromkeys("ab", operations)
        self.cuts = cuts
        self.watching: dict[str, list[otp.Ref]] = {"a": [], "b": []}
        for name in "ab":
            self.world.do(name, otp.register, "it", self.world.processes[name].pid)

    def steps(self) -> list[Any]:
        world = self.world
        steps: list[Any] = [(name, "deliver") for name in "ab" if world.under_way(other(name))]
        for name in "ab":
            if self.budget[name] and world.processes[name].alive:
                steps += [(name, "monitor"), (name, "by name"), (name, "end")]
                if self.watching[name]:
                    steps += [(name, "demonitor")]
        return [*steps, ("ab", "cut")] if self.cuts else steps

    def play(self, step: tuple[str, str]) -> None:
        name, what = step
        world = self.world
        before = {n: len(world.processes[n].mail) for n in "ab"}
        if what == "deliver":
            world.deliver(name)
        elif what == "cut":
            self.cuts -= 1
            world.cut()
        else:
            self.budget[name] -= 1
            if what == "monitor":
                self.watching[name].append(world.do(name, otp.monitor, world.seen(name)))
            elif what == "by name":
                self.watching[name].append(world.do(name, otp.monitor, ("it", other(name))))
            elif what == "demonitor":
                ref = self.watching[name].pop(0)
                assert world.do(name, otp.demonitor, ref, info=True) is True
            else:
                world.end(name)
        for n in "ab":
            for message in world.processes[n].mail[before[n] :]:
                self.arrived(n, message, what)

    def arrived(self, name: str, message: tuple[Any, ...], what: str) -> None:
        tag, ref, kind, _, reason = message
        assert (tag, kind) == ("DOWN", "process")
        self.watching[name].remove(ref)  # fails for one that fired before or was removed
        if what == "cut":
            assert reason == "noconnection"
        else:
            assert what == "deliver"
            assert not self.world.processes[other(name)].alive
            assert reason in ("boom", "noproc")

    def shape(self) -> Hashable:
        return (
            self.world.shape(),
            tuple(self.budget.values()),
            self.cuts,
            tuple(len(refs) for refs in self.watching.values()),
        )


def settled(case: Case) -> None:
    """Nothing is under way: who watches the living is known there, and nobody else is."""
    world = case.world
    for name in "ab":
        me, they = world.processes[name], world.processes[other(name)]
        ours, theirs = (world.nodes[n].endpoint for n in (name, other(name)))
        assert {number for _, number in theirs.watching} == set(ours.asked)
        if they.alive:
            assert len(they.more().monitored_by) == len(theirs.watching)
        if me.alive:
            assert len(case.watching[name]) == len(ours.asked)
            assert not (case.watching[name] and not they.alive)
        else:
            assert ours.asked == {}
    a, b = (world.processes[n] for n in "ab")
    if a.alive and b.alive:
        left = Counter(case.watching["a"])
        a.mail.clear()
        world.end("b")
        world.drain()
        assert Counter(message[1] for message in a.mail) == left
        assert {message[4] for message in a.mail} <= {"boom"}
        assert world.nodes["a"].endpoint.asked == {}
        assert world.nodes["b"].endpoint.watching == {}


@pytest.mark.parametrize(("operations", "cuts"), [(3, 0), (2, 1)])
def test_every_monitor_fires_once_or_is_gone_in_every_order(operations, cuts):
    assert explore(lambda: Case(operations, cuts), Case.steps, settled) > 500


def test_a_monitor_that_is_removed_while_its_down_is_under_way():
    world = World()
    ref = world.do("a", otp.monitor, world.seen("a"))
    world.deliver("b")
    world.end("b")
    assert world.do("a", otp.demonitor, ref, info=True) is True
    world.drain()
    assert world.processes["a"].mail == []
