"""Random programs of adding, deleting, swapping and failing, against a list (E1, E3)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import supervisors as otp
from supervisors import GenEvent, HandlerError, gen_event

Model = list[tuple[int, int]]
"""What a manager is: ``(id, events counted)``, newest first."""

IDS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("add"), IDS),
    st.tuples(st.just("delete"), IDS),
    st.tuples(st.just("swap"), IDS, IDS),
    st.tuples(st.just("notify"), st.sampled_from(["count", "raise", "remove", "become"]), IDS, IDS),
    st.tuples(st.just("call"), st.sampled_from(["count", "raise", "remove"]), IDS),
)


class Counting(GenEvent):
    """State: its id and how many events it saw; it does what an event says to its id."""

    def init(self, args: Any) -> Any:
        match args:
            case (id, ("count", count)):
                return "ok", (id, count)
            case (id, "error"):
                return "ok", (id, 0)
        return "ok", (args, 0)

    def handle_event(self, event: Any, state: Any) -> Any:
        what, whom, heir = event
        id, count = state
        if whom == id:
            match what:
                case "raise":
                    raise ValueError("asked to")
                case "remove":
                    return "remove_handler"
                case "become":
                    return "swap_handler", None, (id, count + 1), (Counting, heir), heir
        return "ok", (id, count + 1)

    def handle_call(self, request: Any, state: Any) -> Any:
        if request == "raise":
            raise ValueError("asked to")
        return ("remove_handler", state[1]) if request == "remove" else ("ok", state[1], state)

    def terminate(self, argument: Any, state: Any) -> Any:
        return "count", state[1]


def expected(model: Model, step: tuple[Any, ...]) -> tuple[Model, Any]:
    """The model after a step, and what the step answers."""

    def place(id: int) -> int | None:
        return next((at for at, (other, _) in enumerate(model) if other == id), None)

    def without(at: int) -> Model:
        return model[:at] + model[at + 1 :]

    match step:
        case ("add", id):
            return [(id, 0), *model], None
        case ("delete", id):
            at = place(id)
            return (
                (model, "module_not_found")
                if at is None
                else (without(at), ("count", model[at][1]))
            )
        case ("swap", old, new):
            at = place(old)
            return ([(new, 0), *model] if at is None else [(new, model[at][1]), *without(at)]), None
        case ("notify", what, whom, heir):
            after = []
            for id, count in model:
                if id != whom or what == "count":
                    after.append((id, count + 1))
                elif what == "become":
                    after.append((heir, count + 1))
            return after, None
        case ("call", what, id):
            at = place(id)
            if at is None:
                return model, "bad_module"
            if what == "count":
                return model, model[at][1]
            return without(at), "raised" if what == "raise" else model[at][1]
    raise AssertionError(step)


async def perform(manager: otp.Pid, step: tuple[Any, ...]) -> Any:
    try:
        match step:
            case ("add", id):
                return await gen_event.add_handler(manager, (Counting, id), id)
            case ("delete", id):
                return await gen_event.delete_handler(manager, (Counting, id))
            case ("swap", old, new):
                swap = ((Counting, old), None), ((Counting, new), new)
                return await gen_event.swap_handler(manager, *swap)
            case ("notify", *event):
                gen_event.notify(manager, event)
                return None
            case ("call", what, id):
                return await gen_event.call(manager, (Counting, id), what)
    except HandlerError as failed:
        return failed.reason if isinstance(failed.reason, str) else "raised"


@given(st.lists(STEPS, max_size=30))
def test_a_manager_is_a_list_of_counters(steps: list[tuple[Any, ...]]) -> None:
    async def body() -> None:
        manager = await gen_event.start()
        model: Model = []
        for step in steps:
            model, answer = expected(model, step)
            assert await perform(manager, step) == answer
            state = await otp.sys.get_state(manager)
            if step[0] != "notify":  # notify is asynchronous: it is seen by the next request
                assert [own for _handler, _id, own in state] == model
        assert await gen_event.which_handlers(manager) == [(Counting, id) for id, _ in model]

    otp.run(body, clock=MockClock(autojump_threshold=0))
