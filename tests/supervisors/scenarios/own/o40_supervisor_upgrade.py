"""O40, V19 (S35): code change of a supervisor calls init again; nobody is stopped for it."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import ChildSpec, Pid, Supervisor, SupFlags, sys

from ..harness import Scenario, Worker, counts

OTP = [
    ("supervisor", "code_change"),
    ("supervisor", "code_change_map"),
    ("supervisor", "get_callback_module"),
]


class Shop(Supervisor):
    """What its init says is whatever the scenario has put into `plan`."""

    def init(self, plan: list[Any]) -> Any:
        return plan[0]


async def run(s: Scenario) -> None:
    """More intensity, another spec, new, vanished and wrong ones."""
    otp.trap_exit()
    plan: list[Any] = []

    def w(id: str, restart: Any = "permanent") -> ChildSpec:
        return Worker.child_spec(s, id, {}, name=id, restart=restart)

    def put(flags: SupFlags, *specs: ChildSpec) -> None:
        plan[:] = [(flags, list(specs))]

    put(SupFlags(intensity=1, period=9), w("a"), w("b"), w("c"))
    sup = s.name(await Shop.start_link(plan), "sup")

    async def change(*, suspended: bool = True) -> Any:
        if suspended:
            await sys.suspend(sup)
        try:
            await sys.change_code(sup, None, 1, "x")
        except sys.CodeChangeError as refused:
            match refused.reason:
                case ("unknown_system_msg", ("change_code", None, *rest)):
                    request = ("change_code", "o40_supervisor_upgrade", *rest)
                    return "error", ("unknown_system_msg", request)
            return "error", refused.reason
        finally:
            await sys.resume(sup)
        return "ok"

    async def kill(id: str) -> None:
        pid = otp.whereis(id)
        assert isinstance(pid, Pid)
        otp.exit_signal(pid, "kill")
        while otp.whereis(id) in (pid, None):
            await trio.sleep(0.001)

    s.event("obs", "running", await change(suspended=False))
    put(SupFlags(intensity=9, period=9), w("d"), w("b", "transient"), w("a"), w("e"))
    s.event("obs", "upgrade", await change())
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "counts", await counts(sup))
    s.event("obs", "spec_of_b", (await otp.get_childspec(sup, "b")).restart)
    await otp.restart_child(sup, "d")
    s.event("obs", "start_new", "ok")
    for id in ("a", "a", "c"):
        await kill(id)
    s.event("obs", "after_kills", await s.kids(sup))
    put(SupFlags(intensity=-1), w("a"))
    s.event("obs", "bad_flags", await change())
    put(SupFlags(), w("a"), w("a"))
    s.event("obs", "bad_specs", await change())
    plan[:] = ["ignore"]
    s.event("obs", "ignore", await change())
    plan[:] = ["odd"]
    s.event("obs", "odd", await change())
    put(SupFlags(intensity=0))
    s.event("obs", "none", await change())
    s.event("obs", "which", await s.kids(sup))
    s.event("obs", "sup_exit", await s.stop(sup))
