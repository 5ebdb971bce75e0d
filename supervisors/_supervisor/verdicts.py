"""The three questions every strategy asks about the end of a child (rules V6, V7, V16)."""

from __future__ import annotations

from .._errors import Reason, is_atom, is_normal
from .spec import ChildSpec


def restarts(spec: ChildSpec, reason: Reason) -> bool:
    """Whether a child that ended by itself with `reason` is started again (V7)."""
    if spec.restart == "permanent":
        return True
    return spec.restart == "transient" and not is_normal(reason)


def stopped_well(spec: ChildSpec, reason: Reason) -> bool:
    """Whether a child told to stop ended as it should; if not it is reported (V6).

    ``shutdown`` is right, ``killed`` for a brutal kill. A child that is not permanent may
    also have ended normally by itself just before it was told to.
    """
    expected = "killed" if spec.shutdown == "brutal_kill" else "shutdown"
    if is_atom(reason, expected):
        return True
    return spec.restart != "permanent" and is_normal(reason)
