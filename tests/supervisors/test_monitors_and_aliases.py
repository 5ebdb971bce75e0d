"""Aliases, tags, demonitor's options and tagged timers: rules P10, P14, P16."""

from __future__ import annotations

import pytest
import trio

import supervisors as otp
from supervisors import GenServer, alias, cast, demonitor, monitor, receive, send, spawn, unalias


async def mail():
    """What lies in the mailbox, once everybody else has come to rest."""
    await trio.testing.wait_all_tasks_blocked()
    found = []
    while True:
        try:
            found.append(await receive(timeout=0))
        except trio.TooSlowError:
            return found


def test_an_alias_takes_mail_until_it_is_taken_back(as_process):
    """P14: what lies in the mailbox stays, what comes later is dropped."""

    async def main():
        address = alias()
        send(address, "one")
        cast(address, "request")
        assert unalias(address) is True
        send(address, "two")
        assert unalias(address) is False
        assert await mail() == ["one", ("$gen_cast", "request")]

    as_process(main)


def test_an_alias_for_one_reply_takes_one(as_process):
    async def main():
        address = alias(reply=True)
        send(address, "one")
        send(address, "two")
        assert await mail() == ["one"]

    as_process(main)


def test_only_the_owner_can_take_an_alias_back(as_process):
    async def main():
        address = alias()
        answers = []

        async def stranger():
            answers.append(unalias(address))

        _, ref = otp.spawn_monitor(stranger)
        await receive(lambda m: m[1] is ref)
        send(address, "still here")
        assert answers == [False]
        assert await mail() == ["still here"]

    as_process(main)


def test_a_reference_that_is_no_alias_reaches_nobody(as_process):
    async def main():
        send(monitor(spawn(trio.sleep_forever)), "lost")
        assert await mail() == []

    as_process(main)


@pytest.mark.parametrize(
    ("mode", "after_reply", "after_demonitor"),
    [
        ("explicit_unalias", ["second"], ["late"]),
        ("demonitor", ["second"], []),
        ("reply_demonitor", [], []),
    ],
)
def test_monitor_with_alias(as_process, mode, after_reply, after_demonitor):
    """P14: what ends the alias, and whether the first reply ends the monitor."""

    async def main():
        pid = spawn(trio.sleep_forever)
        ref = monitor(pid, alias=mode)
        send(ref, "first")
        send(ref, "second")
        assert await mail() == ["first", *after_reply]
        still_monitored = mode != "reply_demonitor"
        assert demonitor(ref, info=True) is still_monitored
        send(ref, "late")
        assert await mail() == after_demonitor
        otp.exit(pid, "kill")
        assert await mail() == []

    as_process(main)


@pytest.mark.parametrize("mode", ["demonitor", "reply_demonitor"])
def test_a_monitor_that_fires_ends_its_alias(as_process, mode):
    async def main():
        pid = spawn(trio.sleep_forever)
        ref = monitor(pid, alias=mode)
        otp.exit(pid, "kill")
        assert [m[0] for m in await mail()] == ["DOWN"]
        send(ref, "late")
        dead = monitor(pid, alias=mode)
        send(dead, "late")
        assert await mail() == [("DOWN", dead, "process", pid, "noproc")]

    as_process(main)


def test_unalias_leaves_the_monitor(as_process):
    async def main():
        pid = spawn(trio.sleep_forever)
        ref = monitor(pid, alias="demonitor")
        assert unalias(ref)
        otp.exit(pid, "kill")
        assert await mail() == [("DOWN", ref, "process", pid, "killed")]

    as_process(main)


def test_an_unknown_kind_of_alias_is_refused(as_process):
    async def main():
        with pytest.raises(ValueError, match="explicit_unalias, demonitor, reply_demonitor"):
            monitor(otp.self(), alias="for_ever")

    as_process(main)


def test_the_tag_stands_for_down(as_process):
    """P10; and the flush finds a tagged one."""

    async def main():
        pid = spawn(trio.sleep_forever)
        ref = monitor(pid, tag=("gone", 1))
        flushed = monitor(pid, tag="other")
        otp.exit(pid, "kill")
        assert await mail() == [
            (("gone", 1), ref, "process", pid, "killed"),
            ("other", flushed, "process", pid, "killed"),
        ]
        late = monitor(pid, tag="late")
        demonitor(late, flush=True)
        assert await mail() == []

    as_process(main)


class Flusher(GenServer):
    """Demonitors with flush while DOWNs lie before and behind other mail."""

    def init(self):
        return "ok", {"seen": [], "refs": []}

    def handle_cast(self, request, state):
        match request:
            case ("watch", pids):
                state["refs"] = [monitor(pid) for pid in pids]
            case ("flush", which):
                for index in which:
                    assert demonitor(state["refs"][index], flush=True, info=True) is False
            case ("fill", pids):
                # While this runs, all of it goes to this server's mailbox behind it.
                for number, pid in enumerate(pids):
                    send(otp.self(), ("before", number))
                    otp.exit(pid, "kill")
        return "noreply", state

    def handle_info(self, message, state):
        if message[0] == "DOWN":
            message = ("DOWN", state["refs"].index(message[1]))
        state["seen"].append(message)
        return "noreply", state

    def handle_call(self, _request, _from, state):
        return "reply", state["seen"], state


class Idle(GenServer):
    def init(self):
        return "ok", None


def test_flush_of_mail_that_came_behind(as_process):
    """P10 in a callback process: the DOWNs lie in the box that still grows."""

    async def main():
        flusher = await Flusher.start()
        victims = [await Idle.start() for _ in range(3)]
        cast(flusher, ("watch", victims))
        cast(flusher, ("fill", victims))
        cast(flusher, ("flush", [0, 2]))
        seen = await otp.call(flusher, "seen")
        assert seen == [("before", 0), ("before", 1), ("DOWN", 1), ("before", 2)]

    as_process(main)


def test_flush_of_mail_that_is_being_walked(as_process):
    """P10 in a callback process: the DOWNs lie in the batch that is being handled."""

    async def main():
        flusher = await Flusher.start()
        victims = [await Idle.start() for _ in range(3)]
        cast(flusher, ("watch", victims))
        await otp.call(flusher, "sync")
        cast(flusher, "nothing")
        cast(flusher, ("flush", [0, 2]))
        for victim in victims:
            otp.exit(victim, "kill")
        send(flusher, ("after", 3))
        assert await otp.call(flusher, "seen") == [("DOWN", 1), ("after", 3)]

    as_process(main)


def test_a_tagged_timer_says_which_it_is(as_process):
    """P16: start_timer and read_timer."""

    async def main():
        timer = otp.start_timer(2.0, otp.self(), "tick")
        assert otp.read_timer(timer) == 2.0
        await trio.sleep(0.5)
        assert otp.read_timer(timer) == 1.5
        assert await receive() == ("timeout", timer, "tick")
        assert otp.read_timer(timer) is None
        assert otp.cancel_timer(timer) is None

    as_process(main)


def test_a_timer_can_be_sent_to_an_alias(as_process):
    async def main():
        address = alias()
        otp.send_after(1.0, address, "in time")
        otp.send_after(2.0, address, "late")
        await trio.sleep(1.5)
        unalias(address)
        await trio.sleep(1.0)
        assert await mail() == ["in time"]

    as_process(main)
