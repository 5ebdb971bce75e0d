"""What chaos adds to the console of the node: ``chaos kill`` and ``chaos report``."""

from __future__ import annotations

import uuid
from typing import Any

import supervisors
from chaos.kill import Kill
from chaos.laboratory import kept, perform
from chaos.program import PREFIX, find_program
from chaos.report import LONGEST, KillReport
from erlmcp_py.console.command import Arg, Command, CommandError, Context
from erlmcp_py.console.inspection import TARGET
from erlmcp_py.console.target import resolve
from supervisors import Exit, format_reason, whereis

WITHIN = 10.0
"""Seconds the tree gets to be whole again, unless the operator says otherwise."""


async def kill(context: Context, args: dict[str, Any]) -> KillReport:
    """Kill a process and report what became of the tree."""
    root = context.console.root
    program = None
    if args["target"].startswith(PREFIX):
        program = await find_program(args["target"], args["reason"])
        pid = program.connection
    else:
        pid = await resolve(args["target"], root)
    top = whereis(root)
    if top is None or pid is top:
        raise CommandError(
            "forbidden", f"nobody would restart {args['target']}, the top supervisor; use stop"
        )
    me = supervisors.self()
    if pid is me:
        raise CommandError("forbidden", f"{args['target']} is the connection you ask from")
    experiment = Kill(
        id=args["id"] or uuid.uuid4().hex[:8],
        target=args["target"],
        pid=pid,
        reason=args["reason"],
        root=root,
        root_pid=top,
        within=args["within"] or (WITHIN if program is None else min(program.within, LONGEST)),
        spare=frozenset({me}),
        program=program,
    )
    try:
        return await perform(experiment)
    except Exit as error:
        raise CommandError(
            "crashed", f"the experiment was ended itself: {format_reason(error.reason)}"
        ) from None


async def report(_: Context, args: dict[str, Any]) -> KillReport:
    """The report of an experiment that has finished."""
    found = await kept(args["id"])
    if found is None:
        raise CommandError("unknown_target", f"there is no report of experiment {args['id']!r}")
    return found


COMMANDS = (
    Command(
        "chaos.kill",
        "kill a process or a program and watch the tree until it is whole again",
        kill,
        (
            Arg("target", f"{TARGET.help}; or {PREFIX}UPSTREAM", required=True, target=True),
            Arg(
                "reason", "exit reason; kill cannot be trapped; a program's signal", default="kill"
            ),
            Arg("within", "seconds to wait", "float", minimum=0.1, maximum=LONGEST),
            Arg("id", "name of the experiment, for chaos report"),
        ),
        readonly=False,
        deadline=LONGEST + 20.0,
    ),
    Command(
        "chaos.report",
        "the report of an earlier experiment",
        report,
        (Arg("id", "name of the experiment", required=True),),
    ),
)
