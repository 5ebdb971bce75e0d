"""Links whose signals cross on the way: in every order, both ends agree in the end (P5, P8)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest

import supervisors as otp
from supervisors.distribution.signals import Unlink

from .exploring import World, explore, other


class Case:
    """What two processes do about their link, and what each may then see.

    budget: operations left. last: operation of each on this connection. quiet: an end has removed the link, and since then has not
    linked again nor has the other, knowing of it; so no EXIT of a link may reach it (P8).
    """

    def __init__(self, operations: int, cuts: int) -> None:
        self.world = World()
        self.budget = dict.fromkeys("ab", operations)
        self.cuts = cuts
        self.quiet = dict.fromkeys("ab", False)
        self.last = dict.fromkeys("ab", "")

    def steps(self) -> list[Any]:
        world = self.world
        steps: list[Any] = [(name, "deliver") for name in "ab" if world.under_way(other(name))]
        for name in "ab":
            if self.budget[name] and world.processes[name].alive:
                steps += [(name, "link"), (name, "unlink"), (name, "end")]
        return [*steps, ("ab", "cut")] if self.cuts else steps

    def play(self, step: tuple[str, str]) -> None:
        name, what = step
        world = self.world
        before = {n: len(world.processes[n].mail) for n in "ab"}
        linked = {n: world.linked(n) for n in "ab"}
        if what == "deliver":
            world.deliver(name)
        elif what == "cut":
            self.cuts -= 1
            self.last = dict.fromkeys("ab", "")
            world.cut()
        else:
            self.budget[name] -= 1
            self.last[name] = what
            if what == "link":
                self.quiet[name] = False
                if not any(isinstance(s, Unlink) for s in world.under_way(other(name))):
                    self.quiet[other(name)] = False
                world.do(name, otp.link, world.seen(name))
            elif what == "unlink":
                self.quiet[name] |= linked[name]
                world.do(name, otp.unlink, world.seen(name))
            else:
                world.end(name)
        for n in "ab":
            came = world.processes[n].mail[before[n] :]
            assert len(came) <= 1, f"{came} at once"
            if came:
                assert linked[n], f"{came} came to {n} through a link that is not active: {step}"
                assert not self.quiet[n], f"{came} came to {n} although it had unlinked: {step}"

    def shape(self) -> Hashable:
        return (
            self.world.shape(),
            tuple(self.budget.values()),
            self.cuts,
            tuple(self.quiet.values()),
            tuple(self.last.values()),
        )


def agreed(case: Case) -> None:
    """Nothing is under way: both ends say the same, and links still do what they should."""
    world = case.world
    a, b = (world.processes[n] for n in "ab")
    assert world.linked("a") == world.linked("b")
    assert not (world.linked("a") and not (a.alive and b.alive))
    if case.last == {"a": "link", "b": "link"}:
        assert world.linked("a"), "both wanted the link in the end"
    for runtime in world.nodes.values():
        assert runtime.endpoint.links.unlinking == {}
    if a.alive and b.alive:
        world.do("a", otp.link, world.seen("a"))
        world.drain()
        assert world.linked("a")
        assert world.linked("b")
        world.do("b", otp.unlink, world.seen("b"))
        world.drain()
        assert not world.linked("a")
        assert not world.linked("b")
        world.do("b", otp.link, world.seen("b"))
        world.drain()
        b.mail.clear()
        world.end("a")
        world.drain()
        assert b.mail == [("EXIT", world.seen("b"), "boom")]
    for name, process in (("a", a), ("b", b)):
        if process.alive:
            process.mail.clear()
            world.do(name, otp.link, world.seen(name))
            world.drain()
            assert process.mail == [("EXIT", world.seen(name), "noproc")]


@pytest.mark.parametrize(("operations", "cuts"), [(3, 0), (2, 1)])
def test_both_ends_agree_in_every_order(operations, cuts):
    assert explore(lambda: Case(operations, cuts), Case.steps, agreed) > 1000


def test_an_unlink_that_meets_a_link():
    """The order that an unlink without acknowledgement gets wrong: one end linked, one not."""
    world = World()
    for name in "ab":
        world.do(name, otp.link, world.seen(name))
    world.do("a", otp.unlink, world.seen("a"))
    world.deliver("a")  # the link of b, sent before b heard of the unlink
    assert not world.linked("a")
    world.drain()
    assert not world.linked("b")
    assert world.processes["a"].mail == world.processes["b"].mail == []


def test_a_link_made_again_before_the_unlink_is_acknowledged():
    world = World()
    world.do("a", otp.link, world.seen("a"))
    world.do("a", otp.unlink, world.seen("a"))
    world.do("a", otp.link, world.seen("a"))
    world.drain()
    assert world.linked("a")
    assert world.linked("b")
