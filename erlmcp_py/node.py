"""A node: its tree, from the first process to the last.

One task process, `main`, has the application controller start the node's own application and then
those that the configuration names; it waits for a reason to end (a signal, an operator, the end of
standard input, the end of an application the node cannot do without), and has them stopped in
reverse order. It does nothing else, so nothing can keep it from that.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Final

import trio

import supervisors
from erlmcp_py import __version__, registry
from erlmcp_py.application import ROOT, start_further, start_node
from erlmcp_py.config import Config, ConfigError
from erlmcp_py.loading import load_application, load_servers
from erlmcp_py.telemetry.log import log, stderr
from erlmcp_py.tree import TRANSPORTS, Parts, child_specs
from supervisors import (
    Application,
    ApplicationError,
    Pid,
    application,
    format_reason,
    monitor,
    receive,
    send,
    which_children,
)
from supervisors import self as own_pid

_ORDERLY: Final = (signal.SIGINT, signal.SIGTERM)
_STDIO_ENDS: Final = ("normal", ("shutdown", "client_gone"), "noproc")
"""How the end of the process on standard input looks when the client is done; "noproc" when it was
over before anybody looked."""


class NodeFailed(Exception):
    """The node ran and gave up; the message says why."""


def run_node(config: Config, announce: Callable[[str], object]) -> None:
    """Run a node until it is told to stop.

    announce: gets the lines that tell people where the node listens and how to attach, once it
    serves. Raises `ConfigError` if it cannot start as configured, `NodeFailed` if its tree gave up.
    The first SIGINT or SIGTERM stops the tree in order, a second one ends the program at once.
    """
    servers = load_servers(config.servers)
    applications = [load_application(name) for name in config.applications.start]
    if not servers:
        raise ConfigError("servers: there is none; name at least one MODULE:ATTR")

    async def main() -> None:
        me = own_pid()
        console: Any = nullcontext()
        if config.control.enabled:
            console = _open_console(config, lambda: send(me, ("stop", "an operator")))
        with console as opened, _signals(lambda number: send(me, ("stop", number.name))):
            parts = Parts(
                servers,
                None if opened is None else opened.child_spec(),
                lambda pid: send(me, ("stdio", pid)),
            )
            await _live(config, parts, applications, announce)

    try:
        supervisors.run(main, node=config.node.name, log=False)
    finally:
        stderr.flush(1.0)


async def _live(
    config: Config,
    parts: Parts,
    applications: Sequence[Application],
    announce: Callable[[str], object],
) -> None:
    """Start the applications, wait for a reason to end, and stop them, the last one first."""
    me = own_pid()
    await application.on_node_down(lambda reason: send(me, ("node_down", reason)))
    started = trio.current_time()
    try:
        await start_node(child_specs(config, parts))
        took = trio.current_time() - started
        await start_further(applications, config.applications.permanent)
    except ApplicationError as error:
        await application.stop_all()
        raise ConfigError(_describe(error.reason)) from error
    for line in await banner(config):
        announce(line)
    log("info", f"node {config.node.name} {__version__} is up, tree started in {took:.3f} s")
    why = await _reason_to_end()
    log("info", f"node {config.node.name} stops: {why}")
    await application.stop_all()
    log("info", f"node {config.node.name} is down")


async def _reason_to_end() -> str:
    serving_stdio: Pid | None = None
    while True:
        match await receive():
            case ("stop", str() as why):
                return why
            case ("stdio", Pid() as pid):
                serving_stdio = pid
                monitor(pid)
            case ("DOWN", _, "process", pid, reason):
                if pid == serving_stdio and reason in _STDIO_ENDS and await _stdio_is_over():
                    return "standard input has ended"
            case ("node_down", ("application_terminated", name, reason)):
                raise NodeFailed(
                    f"application {name}, which the node cannot do without, has ended: "
                    f"{format_reason(reason)}"
                )


async def _stdio_is_over() -> bool:
    """Whether the transport has ended for good; after a crash it runs again or will at once."""
    return any(
        child.id == "stdio" and child.pid is None for child in await which_children(TRANSPORTS)
    )


async def banner(config: Config) -> list[str]:
    """Where the node listens and how to look into it, line by line."""
    lines = [f"node {config.node.name} is up"]
    default = await registry.default()
    http = (await registry.transports()).get("http")
    if http is not None:
        base = f"http://{http.info['address']}"
        for server in config.servers:
            note = f"   (also {base}/mcp)" if server.name == default else ""
            lines.append(f"  {base}/mcp/{server.name}{note}")
        lines.append(f"  {base}/health")
    if config.stdio.enabled:
        lines.append(f"  {default} on standard input and output")
    if config.control.enabled:
        option = "" if config.node.name == "erlmcp" else f" --name {config.node.name}"
        lines.append(
            f"attach: erlmcp-node attach{option}   stop: erlmcp-node stop{option}, or Ctrl-C"
        )
    return lines


def _open_console(config: Config, stop: Callable[[], object]) -> Any:
    from erlmcp_py.console.place import PlaceError
    from erlmcp_py.console.service import Console
    from erlmcp_py.ops.health import report

    async def facts() -> dict[str, Any]:
        transports = await registry.transports()
        return {
            "health": (await report()).status,
            "servers": sorted(await registry.servers()),
            "transports": {name: entry.info for name, entry in transports.items()},
        }

    directory = Path(config.control.directory) if config.control.directory else None
    try:
        return Console.open(config.node.name, directory, root=ROOT, stop=stop, facts=facts)
    except PlaceError as error:
        raise ConfigError(str(error)) from error


@contextmanager
def _signals(first: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Call `first(signal)` in the loop for the first SIGINT or SIGTERM; end at once on the second.

    Plain handlers, not trio's receiver: the second signal has to work while a handler of a server
    holds the loop, which is when it is wanted most.
    """
    token = trio.lowlevel.current_trio_token()
    stopping = False

    def handler(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            os.write(2, b"erlmcp-node: second signal, ending at once\n")
            os._exit(128 + number)
        stopping = True
        token.run_sync_soon(first, signal.Signals(number))

    before = {number: signal.signal(number, handler) for number in _ORDERLY}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _describe(reason: object) -> str:
    """Why an application did not start: the node's own, or ``(name, reason)`` of a further one."""
    match reason:
        case (str() as name, (inner, (_, "start", _))):
            return f"application {name} cannot start: {format_reason(inner)}"
        case (inner, (_, "start", _)):
            return describe_start_error(inner)
        case _:
            return f"an application cannot start: {format_reason(reason)}"


def describe_start_error(reason: object) -> str:
    """Why a tree did not start, as one line that says what to do about it."""
    path: list[str] = []
    while True:
        match reason:
            case ("shutdown", ("failed_to_start_child", child, inner)):
                path.append(str(child))
                reason = inner
            case _:
                break
    match reason:
        case ("port_in_use", host, port):
            return (
                f"http: {host} port {port} is in use; stop who uses it, "
                "or choose another port with --http HOST:PORT (0: any free one)"
            )
        case ("address_not_available", host, _):
            return f"http: {host} is no address of this machine"
        case ("port_forbidden", host, port):
            return f"http: this user may not listen on {host} port {port}; choose one above 1023"
        case ("unknown_host", host, text):
            return f"http: the host {host!r} is unknown: {text}"
        case ("cannot_listen", host, port, text):
            return f"http: cannot listen on {host} port {port}: {text}"
        case _:
            return f"{'/'.join([ROOT, *path])} cannot start: {format_reason(reason)}"
