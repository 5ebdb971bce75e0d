"""Code change of supervisors beyond the scenarios (O30, O40): specs as maps, children by pid."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import GenServer, Pid, Supervisor, SupFlags, sys


class Worker(GenServer):
    def init(self, *args: Any) -> Any:
        return "ok", args


class Planned(Supervisor):
    """What its init says is the last of `plans`."""

    def init(self, plans: list[Any]) -> Any:
        return plans[-1]


async def change(sup: Pid, plans: list[Any], plan: Any) -> None:
    plans.append(plan)
    await sys.suspend(sup)
    try:
        await sys.change_code(sup, None, 1, None)
    finally:
        await sys.resume(sup)


@pytest.mark.otp("supervisor", "code_change_simple_map")
def test_specs_as_maps_of_children_that_are_known_by_pid(as_process) -> None:
    flags = SupFlags("simple_one_for_one", intensity=3)
    first = {"id": "first", "start": (Worker.start_link, (1,)), "restart": "temporary"}
    second = {"id": "second", "start": (Worker.start_link, (2,)), "shutdown": 9.0}

    async def main() -> None:
        plans: list[Any] = [(flags, [first])]
        sup = await Planned.start_link(plans)
        old = await otp.start_child(sup, ["old"])
        await change(sup, plans, (flags, [second]))
        assert [child.pid for child in await otp.which_children(sup)] == [old]
        spec = await otp.get_childspec(sup, old)
        assert (spec.id, spec.restart, spec.shutdown) == ("second", "permanent", 9.0)
        new = await otp.start_child(sup, ["new"])
        assert await sys.get_state(new) == (2, "new")
        for specs, fault in (
            ([], "bad_start_spec"),
            ([first, second], "bad_start_spec"),
            ([{"id": "second"}], "missing_start"),
            ([{**second, "significant": 1}], "invalid_significant"),
        ):
            with pytest.raises(sys.CodeChangeError, match=fault):
                await change(sup, plans, (flags, specs))
        with pytest.raises(sys.CodeChangeError, match="bad_upgrade"):
            await change(sup, plans, (SupFlags(), [second]))
        assert await otp.get_childspec(sup, new) == spec
        otp.exit_signal(new, "kill")
        await otp.which_children(sup)
        (restarted, kept) = [child.pid for child in await otp.which_children(sup)]
        assert kept is old
        assert await sys.get_state(restarted) == (2, "new")

    as_process(main)
