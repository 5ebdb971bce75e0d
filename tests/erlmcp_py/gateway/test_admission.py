"""Places and the queue, against a model: who may begin is served in order, as soon as that is possible."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from erlmcp_py.gateway import admission
from erlmcp_py.gateway.admission import Admission, Bindings, QueueFull, Ticket

NUMBERS = (1, 2, 3)


class Places(RuleBasedStateMachine):
    """Requests that come and go, instances that do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.up = {1, 2, 3}
        self.instances = NUMBERS
        self.admission: Admission[int] = Admission(NUMBERS, lambda one: one in self.up, 2, 3)
        self.tickets: list[Ticket[int]] = []

    @property
    def waiting(self) -> list[Ticket[int]]:
        return [one for one in self.tickets if one.place is None]

    def free(self, instance: int) -> bool:
        return instance in self.up and self.admission.at_work(instance) < 2

    def may_have(self, ticket: Ticket[int]) -> list[int]:
        wanted = self.instances if ticket.only is None else (ticket.only,)
        return [one for one in wanted if self.free(one)]

    @rule(only=st.sampled_from((None, *NUMBERS)))
    def come(self, only: int | None) -> None:
        if only not in self.instances:
            only = None
        before = {one: self.admission.at_work(one) for one in self.instances if self.free(one)}
        if len(self.tickets) >= 2 * len(self.instances) + 3:
            with pytest.raises(QueueFull):
                self.admission.enter(only)
            return
        ticket = self.admission.enter(only)
        self.tickets.append(ticket)
        if ticket.place is not None and only is None:
            assert before[ticket.place] == min(before.values())  # the least busy one

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.tickets))
        self.tickets.remove(ticket)
        before = list(self.waiting)
        able = {one for one in before if ticket.place is not None and self.serves(one, ticket)}
        self.admission.leave(ticket)
        served = [one for one in before if one.place is not None]
        assert served == [one for one in before if one in able][:1]  # who has waited longest
        assert all(one.news.is_set() for one in served)

    def serves(self, waiting: Ticket[int], leaving: Ticket[int]) -> bool:
        place = leaving.place
        return place in self.up and place in self.instances and waiting.only in (None, place)

    @rule(instance=st.sampled_from(NUMBERS))
    def falls(self, instance: int) -> None:
        self.up.discard(instance)
        self.admission.lost(instance)
        self.admission.wake()
        assert all(one.only != instance for one in self.waiting)

    @rule(instance=st.sampled_from(NUMBERS))
    def comes_up(self, instance: int) -> None:
        self.up.add(instance)
        self.admission.wake()

    @rule(instances=st.sampled_from([(1,), (1, 2), (2, 3), NUMBERS]))
    def replaced(self, instances: tuple[int, ...]) -> None:
        self.instances = instances
        self.admission.replace(instances)
        self.admission.wake()

    @invariant()
    def counts_agree(self) -> None:
        assert self.admission.count == len(self.tickets)
        assert self.admission.waiting == len(self.waiting)
        for one in NUMBERS:
            held = sum(ticket.place == one for ticket in self.tickets)
            assert self.admission.at_work(one) == held <= 2

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        assert not any(self.may_have(one) for one in self.waiting)


TestPlaces = Places.TestCase


def test_whoever_waits_is_woken_when_things_change_and_waits_on() -> None:
    admission_: Admission[int] = Admission((1,), lambda _: False, 1, 1)
    ticket = admission_.enter()
    news = ticket.news
    admission_.wake()
    assert news.is_set()
    assert not ticket.news.is_set()


def test_among_equals_each_has_its_turn() -> None:
    admission_: Admission[int] = Admission(NUMBERS, lambda _: True, 9, 0)
    given = []
    for _ in range(6):
        ticket = admission_.enter()
        given.append(ticket.place)
        admission_.leave(ticket)
    assert given == [1, 2, 3, 1, 2, 3]


def test_clients_that_were_not_seen_for_longest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "MAX_BOUND", 2)
    bindings: Bindings[int] = Bindings()
    bindings.bind("a", 1, 1)
    bindings.bind("b", 2, 1)
    assert bindings.find("a") == (1, 1)
    bindings.bind("c", 3, 7)
    assert (bindings.find("a"), bindings.find("b"), bindings.find("c")) == ((1, 1), None, (3, 7))
