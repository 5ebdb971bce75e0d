"""O12, V1, V17: what a supervisor refuses to be started with, and to start."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import ChildSpec, StartError, SupervisorError

from ..harness import Scenario, answer

OTP = [
    ("supervisor", "sup_flags"),
    ("supervisor", "child_specs"),
    ("supervisor", "child_specs_map"),
    ("supervisor", "sup_start_error_return"),
]


async def run(s: Scenario) -> None:
    """Flags, specs, and their combinations."""
    otp.trap_exit()

    def significant(id: str, restart: Any) -> ChildSpec:
        return s.spec(id, restart=restart, significant=True)

    simple = "simple_one_for_one"
    cases: list[tuple[dict[str, Any], list[ChildSpec]]] = [
        ({"strategy": "two_for_one"}, []),
        ({"intensity": -1}, []),
        ({"intensity": "many"}, []),
        ({"period": 0}, []),
        ({"period": -1}, []),
        ({"auto_shutdown": "sometimes"}, []),
        ({}, [significant("a", "transient")]),
        ({"auto_shutdown": "any_significant"}, [significant("a", "permanent")]),
        ({"auto_shutdown": "never"}, [significant("a", "permanent")]),
        ({}, [s.spec("a", restart="maybe_")]),
        ({}, [s.spec("a"), s.spec("b"), s.spec("a")]),
        ({"strategy": simple}, []),
        ({"strategy": simple, "auto_shutdown": "never"}, [significant("a", "transient")]),
    ]
    for flags, children in cases:
        try:
            started: Any = await s.sup(children, **flags)
        except StartError as error:
            started = "error", error.reason
        s.event("obs", "start_link", started)
    one = await s.sup([s.spec("a")])
    two = await s.sup([s.spec("b")], auto_shutdown="all_significant")
    refused = await answer(otp.start_child(one, significant("c", "transient")))
    s.event("obs", "start_child_never", refused)
    refused = await answer(otp.start_child(two, significant("c", "permanent")))
    s.event("obs", "start_child_permanent", refused)
    fine = await answer(otp.start_child(two, significant("c", "temporary")))
    s.event("obs", "start_child_fine", fine)
    s.event("obs", "which", (await s.kids(one), await s.kids(two)))
    checked = [
        check([significant("c", restart)], auto_shutdown)
        for restart in ("permanent", "transient", "temporary")
        for auto_shutdown in ("never", "any_significant", "all_significant", None)
    ]
    s.event("obs", "check", checked)
    s.event("obs", "check_unknown", check([s.spec("c")], "sometimes"))
    await s.stop(two)
    await s.stop(one)


def check(specs: list[ChildSpec], auto_shutdown: Any) -> Any:
    try:
        otp.check_childspecs(specs, auto_shutdown)
    except SupervisorError as fault:
        return "error", fault.reason
    return "ok"
