"""What runs beside the node's own tree, and what is wrong: applications and alarms."""

from __future__ import annotations

from typing import Any

from erlmcp_py.console.command import Arg, Command, CommandError, Context
from erlmcp_py.console.projection import GLANCE, project
from supervisors import (
    ApplicationError,
    ApplicationInfo,
    CallExit,
    ChildInfo,
    Pid,
    alarm_handler,
    application,
    whereis,
)
from supervisors.gen_event import HandlerError

_CONTROLLER = "application_controller"


async def beside(root: Pid) -> list[ChildInfo]:
    """The top processes of the applications that run beside the one `root` is the top of.

    The oldest first. They are nobody's children, but an operator looks for them where the rest of
    the node is, so trees and paths have them below the root.
    """
    own = application.get_application(root)
    tops = [
        (found.name, application.get_supervisor(found.name))
        for found in await _running()
        if found.name != own
    ]
    return [ChildInfo(name, top, "supervisor", ()) for name, top in tops if top is not None]


async def applications(_context: Context, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """The running applications, the oldest first."""
    return [
        {
            "name": found.name,
            "version": found.version,
            "description": found.description,
            "top": None if (top := application.get_supervisor(found.name)) is None else str(top),
        }
        for found in await _running()
    ]


async def start(_context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Start an application that has ended or was stopped; its end will not be the node's."""
    try:
        await application.start(args["name"])
    except ApplicationError as error:
        raise CommandError("unknown_target", str(error)) from None
    return {"application": args["name"], "status": "started"}


async def stop(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Stop an application, and nothing else."""
    root = whereis(context.console.root)
    if root is not None and application.get_application(root) == args["name"]:
        raise CommandError("forbidden", f"{args['name']} is the node itself; use stop")
    try:
        await application.stop(args["name"])
    except ApplicationError as error:
        raise CommandError("unknown_target", str(error)) from None
    return {"application": args["name"], "status": "stopped"}


async def alarms(_context: Context, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """The alarms that are set, the latest first."""
    try:
        found = await alarm_handler.get_alarms()
    except (CallExit, HandlerError) as problem:
        raise CommandError("crashed", f"the alarm handler does not answer: {problem}") from None
    return [
        {"alarm": project(id, GLANCE).value, "description": project(description, GLANCE).value}
        for id, description in found
    ]


async def _running() -> list[ApplicationInfo]:
    """Without starting a controller where nobody uses applications."""
    if whereis(_CONTROLLER) is None:
        return []
    return (await application.which_applications())[::-1]


_NAME = Arg("name", "name of the application", required=True)

APPLICATIONS = (
    Command(
        "applications", "what runs: the node's own application and those beside it", applications
    ),
    Command("application.start", "start an application again", start, (_NAME,), readonly=False),
    Command("application.stop", "stop an application", stop, (_NAME,), readonly=False),
    Command("alarms", "what is wrong right now", alarms),
)
