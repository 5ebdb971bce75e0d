"""Code change of a supervisor: what the new `init` says, taken over by what runs (V19).

Flags and specs are replaced. A child whose id is still there keeps its pid under the new
spec, a new one is not started, a vanished one is kept and goes last. Nothing is stopped.
"""

from __future__ import annotations

from typing import Any

from .dynamic import Dynamic
from .errors import SupervisorError
from .machine import Machine, machine_for
from .regular import Regular
from .simple_one_for_one import SimpleOneForOne


def upgraded(old: Machine, flags: Any, specs: Any) -> Machine:
    """The machine that goes on in the place of `old`, which is not touched.

    Raises `SupervisorError` with OTP's term for what is wrong with the flags or specs, or
    ``("bad_upgrade", strategy)`` from children with ids to such without, or back.
    """
    try:
        new = machine_for(flags, specs)
    except SupervisorError as fault:
        match fault.reason:
            case ("supervisor_data" | "start_spec", reason):
                raise SupervisorError(reason) from None
        raise
    match new, old:
        case Regular(), Regular():
            new.take_over(old)
        case SimpleOneForOne(), SimpleOneForOne():
            new.take_over(old)
        case _:
            raise SupervisorError(("bad_upgrade", new.flags.strategy))
    new.window.go_on_from(old.window)
    return new


def is_upgradable(machine: Machine) -> bool:
    """Whether its children come from `init`; those of a dynamic supervisor do not."""
    return not isinstance(machine, Dynamic)
