"""What an operator may call a process: its pid, its registered name, its path in the tree.

========================  ======================================================
``<node.12.0>``           the pid as the console prints it
``0.12.0``, ``<0.12.0>``  the same, in Erlang's way of saying "on this node"
``registry``              a registered name
``core/servers/simple``   a path: child ids from the root down (the root's own
                          name may be left out); a child without an id is named
                          by its registered name, its label or its pid
========================  ======================================================

A target that could be two things is refused with both of them named; guessing is
no help before a ``kill``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import trio

from erlmcp_py.console.applications import beside
from erlmcp_py.console.command import CommandError, nearest
from supervisors import (
    CallExit,
    ChildInfo,
    Pid,
    current_runtime,
    process_info,
    registered,
    which_children,
)

LISTING_TIMEOUT = 2.0
"""Seconds a supervisor gets to say which children it has."""

_PID = re.compile(r"<?(?P<node>[^<>/]+)\.(?P<id>\d+)\.(?P<serial>\d+)>?")


async def resolve(text: str, root: str) -> Pid:
    """The live process that `text` names; paths start at the process registered as `root`.

    Raises `CommandError` ``unknown_target``, ``ambiguous_target`` or ``timeout``.
    """
    text = text.strip()
    names = registered()
    if text in names:
        return names[text]
    if match := _PID.fullmatch(text):
        return _by_pid(text, match["node"], int(match["id"]), int(match["serial"]))
    steps = [step for step in text.split("/") if step]
    if root in names and steps:
        below = steps[1:] if steps[0] == root else steps
        return await _by_path(names[root], root, below, names)
    raise CommandError("unknown_target", f"no process is called {text!r}{nearest(text, names)}")


def _by_pid(text: str, node: str, id: int, serial: int) -> Pid:
    runtime = current_runtime()
    if node == "0":
        node, serial = runtime.node, runtime.serial
    pid = runtime.find(node, id, serial)
    if pid is None:
        raise CommandError("unknown_target", f"no process {text} is alive on node {runtime.node}")
    return pid


async def _by_path(start: Pid, root: str, steps: Sequence[str], names: dict[str, Pid]) -> Pid:
    here, walked, has_children = start, root, True
    for step in steps:
        if not has_children:
            raise CommandError("unknown_target", f"{walked} is no supervisor, it has no children")
        children = await children_of(here, walked)
        if here is start:
            children += await beside(start)
        found = [child for child in children if step in names_of(child)]
        if not found:
            known = [name for child in children for name in names_of(child)]
            hint = nearest(step, known) or nearest(step, names)
            if here is start and len(steps) == 1:
                raise CommandError("unknown_target", f"no process is called {step!r}{hint}")
            raise CommandError("unknown_target", f"{walked} has no child {step!r}{hint}")
        if len(found) > 1:
            pids = ", ".join(str(child.pid) for child in found[:5])
            raise CommandError(
                "ambiguous_target", f"{len(found)} children of {walked} are called {step!r}: {pids}"
            )
        child = found[0]
        walked = f"{walked}/{step}"
        if not isinstance(child.pid, Pid):
            raise CommandError(
                "unknown_target", f"{walked} is not running ({child.pid or 'undefined'})"
            )
        here, has_children = child.pid, child.type == "supervisor"
    return here


async def children_of(supervisor: Pid, called: str) -> list[ChildInfo]:
    """The children of `supervisor`, oldest first.

    Raises `CommandError` ``timeout`` when it does not answer, ``unknown_target`` when it ends.
    """
    try:
        with trio.fail_after(LISTING_TIMEOUT):
            return (await which_children(supervisor))[::-1]
    except trio.TooSlowError:
        raise CommandError(
            "timeout", f"{called} did not list its children within {LISTING_TIMEOUT:g} s"
        ) from None
    except CallExit as gone:
        raise CommandError("unknown_target", f"{called} ended: {gone}") from None


def names_of(child: ChildInfo) -> list[str]:
    """What a path may call this child; the first is what the tree shows."""
    info = process_info(child.pid) if isinstance(child.pid, Pid) else None
    names = [] if child.id is None else [str(child.id)]
    if info is not None:
        if info.registered_name is not None and info.registered_name not in names:
            names.append(info.registered_name)
        if child.id is None and info.label is not None:
            names.append(str(info.label))
        names.append(str(child.pid))
    return names
