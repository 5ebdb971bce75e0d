"""Direct dispatch (DESIGN 2.2) is invisible: with it and without it a program looks the same."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from .dispatch import SERVERS, AsyncServer, Server, seen

number = st.integers(0, SERVERS - 1)
# What does not depend on whether the next message of the same sender is there yet.
steady = st.sampled_from(["note", "idle", "continue", "hibernate", "sleep", "yield", "give up"])
about_others = st.tuples(st.sampled_from(["pass", "ask", "kill"]), number)
deadly = st.sampled_from(
    ["crash", "exit", "throw", "odd", "stop", "end me", "continue and stop", "sleep and crash"]
)
answers = st.sampled_from(
    ["early", "early and crash", "late", "never", "stop with a reply", "reply and idle"]
)
of_sys = st.sampled_from(
    [
        *("get_state", "replace_state", "suspend", "resume", "resume", "count", "counted"),
        *("log", "logged", "trace", "no trace", "terminate"),
    ]
)


def programs(quiet: st.SearchStrategy[Any], others: st.SearchStrategy[Any]) -> Any:
    orders = quiet | quiet | others | deadly
    commands = st.one_of(
        st.tuples(st.just("call"), number, orders | answers),
        st.tuples(st.just("call"), number, quiet),
        st.tuples(st.sampled_from(["cast", "send"]), number, orders),
        st.tuples(st.just("casts and a call"), number, st.lists(steady, max_size=4)),
        st.tuples(st.just("request"), number, orders | answers),
        st.tuples(st.just("caller ends"), number, st.none()),
        st.tuples(st.just("time"), number, st.sampled_from([0.05, 0.15, 0.6])),
        st.tuples(st.just("sys"), number, of_sys),
    )
    return st.lists(commands, min_size=1, max_size=20)


# In a server that waits, the reply to its own request races with the rest of its mailbox:
# whether the other server was entered shows in the order, as Erlang's schedulers do.
requests = st.tuples(st.just("request"), number)
quiet = steady | st.sampled_from(["at once", "to myself"])


@settings(max_examples=300)
@example(program=[("request", 0, "end me")], trap=False)
@given(program=programs(quiet, about_others | requests), trap=st.booleans())
def test_nothing_tells_whether_servers_are_entered(program: list[Any], trap: bool) -> None:
    same_either_way(Server, program, trap)


@settings(max_examples=300)
@example(program=[("request", 0, "end me")], trap=False)
@example(program=[("call", 0, ("request", 1))], trap=False)
@given(program=programs(quiet, about_others), trap=st.booleans())
def test_nothing_tells_whether_servers_that_wait_are_entered(
    program: list[Any], trap: bool
) -> None:
    same_either_way(AsyncServer, program, trap)


def same_either_way(cls: type[Server], program: list[Any], trap: bool) -> None:
    direct = seen(cls, trap, program, direct=True)
    queued = seen(cls, trap, program, direct=False)
    for who in direct.keys() | queued.keys():
        assert direct.get(who) == queued.get(who), who
