"""What a draining node decides, moment by moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.guards.drain import Drain, DrainSettings, Left

NOTHING = Left(listening=False, connections=0, requests=0)
IDLE = Left(listening=False, connections=3, requests=0)
BUSY = Left(listening=False, connections=3, requests=2)
OPEN = Left(listening=True, connections=0, requests=0)
BOTH = ("http", "tcp")


def draining(**reports: Left) -> Drain:
    drain = Drain(BOTH, DrainSettings(deadline=25, idle_grace=2))
    assert drain.begin(100.0, "SIGTERM")
    for member, left in reports.items():
        drain.report(member, left)
    return drain


def test_it_ends_when_nobody_has_anything_left() -> None:
    drain = draining(http=NOTHING, tcp=NOTHING)
    assert drain.tick(101.5, 0, BOTH) == "end"
    assert drain.outcome(101.5).text == "everything was finished in 1.5 s"


def test_a_member_that_has_said_nothing_is_waited_for() -> None:
    assert draining(http=NOTHING).tick(101, 0, BOTH) == "wait"


def test_a_member_that_is_not_there_is_not_waited_for() -> None:
    assert draining(http=NOTHING).tick(101, 0, ("http",)) == "end"


def test_a_door_that_is_open_is_waited_for() -> None:
    assert draining(http=OPEN, tcp=NOTHING).tick(101, 0, BOTH) == "wait"


def test_a_call_whose_client_has_gone_is_waited_for() -> None:
    drain = draining(http=NOTHING, tcp=NOTHING)
    assert drain.tick(101, 1, BOTH) == "wait"
    assert drain.tick(102, 0, BOTH) == "end"


def test_at_the_deadline_what_is_at_work_is_cut_off_once() -> None:
    drain = draining(http=BUSY, tcp=NOTHING)
    assert drain.tick(124.9, 1, BOTH) == "wait"
    assert drain.tick(125, 1, BOTH) == "cut"
    assert drain.going.last
    assert drain.tick(125.1, 0, BOTH) == "wait"
    drain.report("http", NOTHING)
    assert drain.tick(125.2, 0, BOTH) == "end"
    assert drain.outcome(125.2).cut_off == 2


def test_clients_that_do_not_take_their_error_do_not_hold_it_up() -> None:
    drain = draining(http=BUSY, tcp=NOTHING)
    assert drain.tick(125, 2, BOTH) == "cut"
    assert drain.tick(126.9, 0, BOTH) == "wait"
    assert drain.tick(127, 0, BOTH) == "end"


def test_at_the_deadline_those_who_ask_for_nothing_are_not_cut_off() -> None:
    drain = draining(http=IDLE, tcp=NOTHING)
    assert drain.tick(125, 0, BOTH) == "end"
    assert drain.outcome(125).cut_off == 0


def test_who_begins_may_say_how_long_it_takes_and_only_the_first_does() -> None:
    drain = Drain(BOTH, DrainSettings())
    assert drain.begin(0, "an operator", 3.0)
    assert not drain.begin(1, "SIGTERM")
    status = drain.status(1)
    assert status is not None
    assert (status.why, status.remaining) == ("an operator", 2.0)


def test_it_says_nothing_while_it_serves() -> None:
    drain = Drain(BOTH, DrainSettings())
    drain.report("http", BUSY)
    assert drain.status(0) is None
    assert drain.requests == 0


reports = st.builds(
    Left,
    listening=st.booleans(),
    connections=st.integers(0, 3),
    requests=st.integers(0, 3),
)
events = st.lists(
    st.tuples(
        st.floats(0.01, 10), st.integers(0, 2), st.dictionaries(st.sampled_from(BOTH), reports)
    ),
    max_size=30,
)


@given(events)
def test_whatever_members_say_it_ends_and_cuts_at_most_once(said: list) -> None:
    drain = Drain(BOTH, DrainSettings(deadline=25))
    drain.begin(0, "SIGTERM")
    now, steps = 0.0, []
    for pause, calls, left in [*said, (25.0, 2, {}), (2.0, 2, {})]:
        now += pause
        for member, each in left.items():
            drain.report(member, each)
        steps.append(drain.tick(now, calls, BOTH))
    assert steps[-1] == "end"
    assert steps.count("cut") <= 1
    ends = steps.index("end")
    assert set(steps[ends:]) == {"end"}
    assert (drain.cut_off > 0) == ("cut" in steps)
