"""The machine for a set of flags: the one place that knows OTP's four strategies."""

from __future__ import annotations

from typing import TypeAlias

from .dynamic import Dynamic
from .errors import SupervisorError
from .one_for_all import OneForAll
from .one_for_one import OneForOne
from .regular import Regular
from .rest_for_one import RestForOne
from .simple_one_for_one import SimpleOneForOne
from .spec import check_childspecs, check_flags

Machine: TypeAlias = Regular | SimpleOneForOne | Dynamic

_REGULAR: dict[str, type[Regular]] = {
    "one_for_one": OneForOne,
    "one_for_all": OneForAll,
    "rest_for_one": RestForOne,
}


def machine_for(flags: object, specs: object) -> Machine:
    """The state machine for what a supervisor's `init` returned, nothing started yet.

    Raises `SupervisorError` with OTP's reasons for start_link to fail (rule V1):
    ``("supervisor_data", fault)``, ``("start_spec", fault)``, or ``("bad_start_spec", specs)``
    when a simple_one_for_one supervisor is given anything but exactly one spec.
    """
    try:
        checked_flags = check_flags(flags)
    except SupervisorError as fault:
        raise SupervisorError(("supervisor_data", fault.reason)) from None
    regular = _REGULAR.get(checked_flags.strategy)
    if regular is None and not (isinstance(specs, (list, tuple)) and len(specs) == 1):
        raise SupervisorError(("bad_start_spec", specs))
    try:
        checked_specs = check_childspecs(specs, checked_flags.auto_shutdown)
    except SupervisorError as fault:
        raise SupervisorError(("start_spec", fault.reason)) from None
    if regular is None:
        return SimpleOneForOne(checked_flags, checked_specs[0])
    return regular(checked_flags, checked_specs)
