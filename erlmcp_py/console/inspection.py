"""The commands that look: ping, status, tree, ps, info, state, names, commands.

Each handler returns a JSON-able value whose shape stands in ``docs/shell.md``; drawing
it for people is the client's business.
"""

from __future__ import annotations

import os
import platform
import resource
import sys as python_sys
from collections.abc import Iterable
from typing import Any

import trio

from erlmcp_py import __version__
from erlmcp_py.console.applications import beside
from erlmcp_py.console.command import Arg, Command, CommandError, Context
from erlmcp_py.console.processes import ORDERS, listing
from erlmcp_py.console.projection import Bounds, project
from erlmcp_py.console.target import resolve
from erlmcp_py.console.tree import TreeLimits, TreeNode, build
from erlmcp_py.console.upstreams import upstream_of
from supervisors import (
    CallExit,
    ChildInfo,
    Pid,
    SupervisorState,
    application,
    current_runtime,
    process_info,
    registered,
    sys,
    whereis,
)

TARGET = Arg("target", "a pid, a registered name or a path in the tree", required=True, target=True)

_MANY = 200
"""Links, monitors and ancestors shown by ``info``; completions of each kind in ``names``."""


async def ping(context: Context, _: dict[str, Any]) -> dict[str, Any]:
    """Answer, so that one knows the node runs its loop and its console."""
    return {"pong": context.console.name, "pid": os.getpid()}


async def status(context: Context, _: dict[str, Any]) -> dict[str, Any]:
    """The node in a dozen lines."""
    console, runtime = context.console, current_runtime()
    facts = {} if console.facts is None else await console.facts()
    return {
        "node": console.name,
        "version": __version__,
        "python": platform.python_version(),
        "pid": os.getpid(),
        "uptime": trio.current_time() - console.opened_at,
        "processes": len(runtime.processes()),
        "registered": len(registered()),
        "restarts": console.restarts.total,
        "memory": resident_bytes(),
        "cpu_seconds": sum(os.times()[:2]),
        "console_clients": len(console.peers),
        "traces": len(console.traces),
        "control_socket": str(console.claim.path),
        **facts,
    }


async def tree(context: Context, args: dict[str, Any]) -> TreeNode:
    """The supervision tree below a supervisor, the node's by default."""
    console = context.console
    others: list[ChildInfo] = []
    if args["target"] is None:
        root, name = whereis(console.root), console.root
        if root is None:
            raise CommandError("unknown_target", f"no process is registered as {console.root!r}")
        others = await beside(root)
    else:
        root, name = await resolve(args["target"], console.root), args["target"]
        await require_supervisor(root, name)
    return await build(root, name.strip("/"), console.restarts, TreeLimits(args["limit"]), others)


async def ps(context: Context, args: dict[str, Any]) -> Any:
    """The process list."""
    console = context.console
    return await listing(
        args["sort"], args["limit"], context.session, console.looks, console.restarts
    )


async def info(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """All the kernel knows of one process."""
    pid = await resolve(args["target"], context.console.root)
    found = process_info(pid)
    if found is None:
        raise gone(args["target"])
    upstream = await upstream_of(found)
    return {
        "pid": str(pid),
        "name": found.registered_name,
        "application": application.get_application(pid),
        "label": None if found.label is None else str(found.label),
        "kind": found.kind,
        "behaviour": found.behaviour,
        "initial_call": found.initial_call,
        "state": found.status,
        "restarts": context.console.restarts.of(pid),
        "uptime": found.uptime,
        "mailbox": found.message_queue_len,
        "mailbox_limit": found.mailbox_limit,
        "dropped": found.dropped,
        "messages_total": found.messages_in,
        "reductions": found.reductions,
        "memory": found.memory,
        "trap_exit": found.trap_exit,
        "parent": None if found.parent is None else called(found.parent),
        "ancestors": several(found.ancestors),
        "links": several(found.links),
        "monitors": several(found.monitors),
        "monitored_by": several(found.monitored_by),
        **({} if upstream is None else {"upstream": upstream}),
    }


async def state(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """The state of a behaviour, as its `format_status` shows it, within bounds."""
    pid = await resolve(args["target"], context.console.root)
    try:
        got = await sys.get_status(pid, args["timeout"])
    except CallExit as error:
        raise refused(error, args["target"], "its state", args["timeout"]) from None
    shown = project(got["state"], Bounds(items=args["items"]))
    return {
        "pid": str(pid),
        "name": got["name"],
        "module": got["module"],
        "status": got["status"],
        "state": shown.value,
        "truncated": shown.truncated,
    }


async def names(context: Context, _: dict[str, Any]) -> dict[str, Any]:
    """What a TARGET can be, for completion: names, paths, pids; at most 200 of each."""
    console = context.console
    root = whereis(console.root)
    paths: list[str] = []
    if root is not None:
        limits = TreeLimits(_MANY, 0.25)
        shown = await build(root, console.root, console.restarts, limits, await beside(root))
        paths = [
            node.path.partition("/")[2]
            for node in shown.walk()
            if "/" in node.path and node.type != "program"
        ]
    pids = [str(pid) for pid in current_runtime().processes()[:_MANY]]
    return {"names": sorted(registered())[:_MANY], "paths": paths[:_MANY], "pids": pids}


async def commands(context: Context, _: dict[str, Any]) -> list[dict[str, Any]]:
    """Every command with its arguments, for the shell."""
    return [command.describe() for command in await context.console.commands()]


def resident_bytes() -> int:
    """Resident memory of the node; where ``/proc`` is missing, the highest it ever was."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if python_sys.platform == "darwin" else peak * 1024


async def require_supervisor(pid: Pid, target: str) -> None:
    """Raise ``not_a_server`` unless `pid` is a supervisor: a worker must not be asked for children."""
    try:
        held = await sys.get_state(pid, TreeLimits().timeout)
    except CallExit as error:
        if error.cause != "not_a_behaviour":
            raise refused(error, target, "an answer", TreeLimits().timeout) from None
        held = None
    if not isinstance(held, SupervisorState):
        raise CommandError("not_a_server", f"{target} is no supervisor, it has no tree below it")


def called(pid: Pid) -> str:
    """A pid with its name, if it has one: ``registry <node.4.0>``."""
    found = process_info(pid)
    name = None if found is None else found.registered_name
    return str(pid) if name is None else f"{name} {pid}"


def several(pids: Iterable[Pid | str]) -> list[str]:
    """The first 200 of `pids`, named, and how many more there are."""
    every = list(pids)
    shown = [called(pid) if isinstance(pid, Pid) else pid for pid in every[:_MANY]]
    if len(every) > _MANY:
        shown.append(f"… (+{len(every) - _MANY} more)")
    return shown


def gone(target: str) -> CommandError:
    """The error for a process that ended between being found and being asked."""
    return CommandError("unknown_target", f"{target} has ended")


def refused(error: CallExit, target: str, what: str, timeout: float) -> CommandError:
    """Why a system message to `target` failed, in words."""
    if error.cause == "timeout":
        return CommandError("timeout", f"{target} did not give {what} within {timeout:g} s")
    if error.cause == "not_a_behaviour":
        return CommandError(
            "not_a_server", f"{target} runs its own receive loop, it answers no system messages"
        )
    if error.cause == "calling_self":
        return CommandError("not_a_server", f"{target} is in the middle of a call, try again")
    if error.cause == "noproc":
        return gone(target)
    return CommandError("unknown_target", f"{target} ended: {error}")


INSPECTION = (
    Command("ping", "whether the node answers", ping),
    Command("status", "the node in a dozen lines", status),
    Command(
        "tree",
        "the supervision tree",
        tree,
        (
            Arg("target", "a supervisor to begin at", target=True),
            Arg(
                "limit",
                "children shown per supervisor",
                "int",
                default=100,
                minimum=1,
                maximum=1000,
            ),
        ),
    ),
    Command(
        "ps",
        "the processes",
        ps,
        (
            Arg("sort", "order", default="mailbox", choices=tuple(ORDERS)),
            Arg("limit", "rows", "int", default=40, minimum=1, maximum=5000),
        ),
    ),
    Command("info", "all about one process", info, (TARGET,)),
    Command(
        "state",
        "the state of a server",
        state,
        (
            TARGET,
            Arg(
                "timeout", "seconds to wait for it", "float", default=5.0, minimum=0.01, maximum=60
            ),
            Arg(
                "items", "elements shown per container", "int", default=50, minimum=1, maximum=1000
            ),
        ),
        deadline=65.0,
    ),
    Command("names", "what a TARGET can be", names),
    Command("commands", "every command with its arguments", commands),
)
