"""Random trees of real processes, driven by random commands, against the reference model.

Compared after every command: who was started and who ended with what, in which order, the
answers of the administration, and the shape of the whole tree.
"""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import supervisors as otp
from supervisors import SupervisorError

from .reference import Child, Fork, Leaf, Model
from .tree import Branch, Real

RESTARTS = st.sampled_from(["permanent", "transient", "temporary"])
QUARTERS = st.sampled_from([0.0, 0.0, 0.25, 2.25])
ENDS = st.sampled_from(["normal", "shutdown", "bad", "raised", "killed"])
INITS = st.lists(st.sampled_from(["fail", "ignore", "ok"]), min_size=1, max_size=3)


@st.composite
def leaves(draw: Any, id: str, auto: str = "never") -> Leaf:
    restart = draw(RESTARTS)
    return Leaf(
        id,
        asynchronous=draw(st.booleans()),
        traps=draw(st.booleans()),
        restart=restart,
        shutdown=draw(st.sampled_from([5.0, 1.0, "brutal_kill"])),
        significant=auto != "never" and restart != "permanent" and draw(st.booleans()),
        lingers=draw(QUARTERS),
        init_takes=draw(QUARTERS),
    )


@st.composite
def forks(draw: Any, id: str = "r", depth: int = 0, outer: str = "never") -> Fork:
    auto = draw(st.sampled_from(["never", "never", "any_significant", "all_significant"]))
    restart = draw(RESTARTS)
    children = tuple(
        draw(forks(f"{id}{n}", depth + 1, auto))
        if depth < 2 and draw(st.integers(0, 2)) == 0
        else draw(leaves(f"{id}{n}", auto))
        for n in range(draw(st.integers(0, 3)))
    )
    return Fork(
        id,
        children,
        strategy=draw(st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])),
        intensity=draw(st.sampled_from([0, 1, 2, 6])),
        period=draw(st.sampled_from([1, 2])),
        auto_shutdown=auto,
        restart=restart,
        significant=outer != "never" and restart != "permanent" and draw(st.booleans()),
    )


class Pair:
    """The model and the real tree, given the same commands."""

    def __init__(self, data: st.DataObject, spec: Fork) -> None:
        self.data = data
        self.model = Model(spec)
        self.real = Real()
        self.spec = spec
        self.ordered = True

    async def run(self) -> None:
        otp.trap_exit()
        self.model.now = otp.current_runtime().now()
        expected = self.model.start(self.model.root)
        assert expected == "ok"
        self.root = await Branch.start_link(self.real, self.spec)
        await self.compare()
        for _ in range(self.data.draw(st.integers(4, 20), "commands")):
            if self.model.root.state != "up":
                return
            await self.command()
            await self.compare()

    async def compare(self) -> None:
        await self.real.settle()
        model, real = self.model.log, self.real.log
        if self.ordered:
            assert real == model
        else:
            assert sorted(real) == sorted(model)
        model.clear()
        real.clear()
        self.ordered = True
        self.model.now = otp.current_runtime().now()
        up = self.model.root.state == "up"
        assert otp.is_alive(self.root) == up
        if up:
            assert await self.real.shape(self.root) == self.model.shape()

    async def command(self) -> None:
        children = self.model.all()
        # The root is drawn last and rarely: its end is the end of the example.
        child = self.data.draw(st.sampled_from([*children[1:] * 3, children[0]]), "child")
        commands = ["wait", "init"]
        if child is not self.model.root:
            commands += ["terminate", "restart", "delete"]
        if child.below is not None:
            commands += ["start", "kill"]
        elif child.state == "up" and not child.dead:
            commands += ["end", "end", "end", "unlink"]
        command = self.data.draw(st.sampled_from(commands), "command")
        await getattr(self, command)(child)

    # --- commands --------------------------------------------------------------------------

    async def wait(self, _child: Child) -> None:

        await trio.sleep(self.data.draw(st.sampled_from([0.25, 1.0, 2.75]), "seconds"))

    async def init(self, child: Child) -> None:
        """Say what the next starts of a worker come to."""
        if isinstance(child.spec, Leaf):
            outcomes = self.data.draw(INITS, "inits")
            self.model.inits[child.spec.id].extend(outcomes)
            self.real.inits[child.spec.id].extend(outcomes)

    async def end(self, child: Child) -> None:
        reason = self.data.draw(ENDS, "reason")
        pid = self.real.pids[child.spec.id]
        if reason == "killed":
            otp.exit_signal(pid, "kill")
        else:
            otp.cast(pid, reason)
        assert isinstance(child.spec, Leaf)
        if child.spec.asynchronous and reason == "shutdown":
            self.model.now += child.spec.lingers  # its own terminate, before it is gone
        self.model.worker_ends(child, reason)

    async def unlink(self, child: Child) -> None:
        otp.cast(self.real.pids[child.spec.id], "unlink")
        child.unlinked = True

    async def kill(self, child: Child) -> None:
        self.ordered = False
        otp.exit_signal(self.real.pids[child.spec.id], "kill")
        self.model.supervisor_is_killed(child)

    async def start(self, child: Child) -> None:
        assert child.below is not None
        auto = child.below.spec.auto_shutdown
        ids = [f"{child.spec.id}{n}" for n in range(5)]
        leaf = self.data.draw(st.sampled_from(ids).flatmap(lambda name: leaves(name, auto)))
        expected = self.model.start_child(child.below, leaf)
        pid = self.real.pids[child.spec.id]
        try:
            started = await otp.start_child(pid, self.real.spec(leaf))
            answer = "ignore" if started is None else "ok"
        except SupervisorError as refused:
            reason = refused.reason
            tag = reason[0] if isinstance(reason, tuple) else reason
            answer = "fail" if tag == "refused" else tag
        assert answer == expected

    async def administer(self, child: Child, verb: Any, expected: str) -> None:
        holder = self.real.pids[self.holder.spec.id]
        try:
            done = await verb(holder, child.spec.id)
            answer = "ignore" if verb is otp.restart_child and done is None else "ok"
        except SupervisorError as refused:
            answer = "running" if refused.reason in ("running", "restarting") else "fail"
        assert answer == expected

    async def terminate(self, child: Child) -> None:
        self.holder = self.model.holder(child)
        assert self.holder.below is not None
        expected = self.model.terminate_child(self.holder.below, child)
        await self.administer(child, otp.terminate_child, expected)

    async def restart(self, child: Child) -> None:
        self.holder = self.model.holder(child)
        expected = self.model.restart_child(child)
        await self.administer(child, otp.restart_child, expected)

    async def delete(self, child: Child) -> None:
        self.holder = self.model.holder(child)
        assert self.holder.below is not None
        expected = self.model.delete_child(self.holder.below, child)
        await self.administer(child, otp.delete_child, expected)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), spec=forks())
def test_random_trees_live_as_the_rules_say(data: st.DataObject, spec: Fork) -> None:
    otp.run(Pair(data, spec).run, clock=MockClock(autojump_threshold=0))
