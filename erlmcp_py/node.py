"""A node: its tree, from the first process to the last.

One task process, `main`, has the application controller start the node's own application and then
those that the configuration names; it waits for a reason to end (a signal, an operator, the end of
standard input, the end of an application the node cannot do without), and has them stopped in
reverse order. It does nothing else, so nothing can keep it from that.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

import supervisors
from erlmcp_py import __version__, registry
from erlmcp_py.application import ROOT, start_further, start_node
from erlmcp_py.config import ALL, Config, ConfigError, check_served
from erlmcp_py.exposure import exposed
from erlmcp_py.gateway import reloading
from erlmcp_py.gateway.reloading import Read
from erlmcp_py.guards import drain
from erlmcp_py.guards.drain import Outcome
from erlmcp_py.loading import load_application, load_servers
from erlmcp_py.parts import Parts, WorkerPart
from erlmcp_py.signals import hang_up, stop_signals
from erlmcp_py.telemetry.log import log, set_level, stderr
from erlmcp_py.tree import TRANSPORTS, child_specs
from erlmcp_py.workers.orders import Drained
from supervisors import (
    Application,
    ApplicationError,
    CallExit,
    Pid,
    application,
    format_reason,
    monitor,
    receive,
    send,
    which_children,
)
from supervisors import self as own_pid

if TYPE_CHECKING:
    from erlmcp_py.console.claim import NameClaim
    from erlmcp_py.console.service import Console
    from erlmcp_py.transports.stdio import Channel
    from supervisors import ChildSpec

_STDIO_ENDS: Final = ("normal", ("shutdown", "client_gone"), "noproc")
"""How the end of the process on standard input looks when the client is done; "noproc" when it was
over before anybody looked."""


class NodeFailed(Exception):
    """The node ran and gave up; the message says why."""


def run_node(
    config: Config,
    announce: Callable[[list[str]], object],
    worker: WorkerPart | None = None,
    *,
    replace: bool = False,
    again: Read | None = None,
) -> None:
    """Run a node until it is told to stop.

    announce: gets the lines that tell people where the node listens and how to attach, once it
    serves. worker: if it is one of several on the same port. replace: take over from the node of
    this name, if one runs. again: reads the configuration again, for `reload` and SIGHUP. Raises
    `ConfigError` if it cannot start as configured, `NodeFailed` if its tree gave up. SIGTERM drains the node, SIGINT stops its tree in order; a second one of either ends the
    program at once.
    """
    servers = load_servers(config.servers)
    applications = [load_application(name) for name in config.applications.start]
    check_served(config)
    if config.upstreams:
        from erlmcp_py.gateway.settings import check_upstreams

        check_upstreams(config.upstreams)

    async def main() -> None:
        set_level(config.log.level)
        me = own_pid()
        heir = None
        if replace:
            from erlmcp_py.handover import succession

            heir = await succession.ask(config)
        console: Any = nullcontext()
        if config.control.enabled:
            claim = None if heir is None else heir.claim
            console = _open_console(config, lambda: send(me, ("stop", "an operator")), claim)
        with (
            nullcontext() if heir is None else closing(heir),
            console as opened,
            _signals(me),
            nullcontext() if again is None else _hang_up(me),
        ):
            parts = Parts(
                servers,
                None if opened is None or heir is not None else opened.child_spec(),
                lambda pid: send(me, ("stdio", pid)),
                _channel(config),
                worker=worker,
                stop=lambda why: send(me, ("stop", why)),
                drained=lambda outcome: _drained(me, outcome, worker),
                inherited=None if heir is None else heir.inheritance,
                handover=_handover(opened) if worker is None and heir is None else None,
                again=again,
            )
            succeed = None if heir is None else partial(succession.succeed, config, heir, opened)
            await _live(config, parts, applications, announce, succeed)

    try:
        supervisors.run(main, node=config.node.name, log=False)
    finally:
        stderr.flush(1.0)


async def _live(
    config: Config,
    parts: Parts,
    applications: Sequence[Application],
    announce: Callable[[list[str]], object],
    succeed: Callable[[], Awaitable[None]] | None,
) -> None:
    """Start the applications, wait for a reason to end, and stop them, the last one first.

    succeed: takes over from another node, as soon as this one could serve.
    """
    me = own_pid()
    await application.on_node_down(lambda reason: send(me, ("node_down", reason)))
    started = trio.current_time()
    try:
        await start_node(child_specs(config, parts))
        took = trio.current_time() - started
        await start_further(applications, config.applications.permanent)
        if succeed is not None:
            await succeed()
    except ApplicationError as error:
        await application.stop_all()
        raise ConfigError(_describe(error.reason)) from error
    except ConfigError:
        await application.stop_all()
        raise
    for line in exposed(config):
        log("warning", line)
    announce(await banner(config))
    log("info", f"node {config.node.name} {__version__} is up, tree started in {took:.3f} s")
    channel = parts.channel
    why = await _reason_to_end(channel)
    log("info", f"node {config.node.name} stops: {why}")
    await application.stop_all()
    log("info", f"node {config.node.name} is down")
    if channel is not None and channel.problem is not None:
        raise NodeFailed(channel.problem)


async def _reason_to_end(channel: Channel | None) -> str:
    serving_stdio: Pid | None = None
    while True:
        match await receive():
            case ("stop", str() as why):
                return why
            case ("drain", str() as why):
                try:
                    await drain.begin(why)
                except CallExit as error:
                    return f"{why}; it cannot drain: {error}"
            case ("reload", str() as who):
                reloading.soon(who)
            case ("drained", Outcome() as outcome):
                return f"{outcome.why}; {outcome.text}"
            case ("stdio", Pid() as pid):
                serving_stdio = pid
                monitor(pid)
            case ("DOWN", _, "process", pid, reason):
                if pid != serving_stdio or reason not in _STDIO_ENDS:
                    continue
                if await drain.status() is None and await _stdio_is_over():
                    problem = None if channel is None else channel.problem
                    return problem or "standard input has ended"
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
        base = _base(http.info)
        for name in (*(server.name for server in config.servers), *config.upstreams):
            note = f"   (also {base}/mcp)" if name == default else ""
            lines.append(f"  {base}/mcp/{name}{note}")
        if config.upstreams:
            lines.append(f"  {base}/mcp   (all upstreams together, also {base}/mcp/{ALL})")
        if http.info["websocket"]:
            web = _base(http.info, "ws")
            lines.append(f"  {web}/mcp/ws   (WebSocket; each server has one at its path and /ws)")
        lines.append(f"  {base}/health")
    tcp = (await registry.transports()).get("tcp")
    if tcp is not None:
        way = {"newline": "a message per line", "length": "a length before each message"}
        tls = ", TLS" if tcp.info["tls"] else ""
        scheme = "" if tcp.info["address"].startswith("unix:") else "tcp://"
        lines.append(
            f"  {scheme}{tcp.info['address']}   {config.tcp.server or default} over TCP, "
            f"{way[config.tcp.framing]}{tls}"
        )
    lines += [f"  WARNING: {line}" for line in exposed(config)]
    if config.stdio.enabled:
        lines.append(f"  {default} on standard input and output")
    if config.control.enabled:
        option = "" if config.node.name == "erlmcp" else f" --name {config.node.name}"
        lines.append(
            f"attach: erlmcp-node attach{option}   stop: erlmcp-node stop{option}, or Ctrl-C"
        )
    return lines


def _base(info: Mapping[str, Any], scheme: str = "http") -> str:
    """What stands before the path in the URLs of a listener. Clients of a Unix socket are told of it
    separately, so there it is the socket, a blank, and any URL: ``curl --unix-socket ADDRESS URL``.
    """
    if info["tls"]:
        scheme += "s"
    if info["host"].startswith("unix:"):
        return f"{info['address']}  {scheme}://localhost"
    return f"{scheme}://{info['address']}"


def _drained(main: Pid, outcome: Outcome, worker: WorkerPart | None) -> None:
    if worker is not None:
        worker.line.tell(Drained(outcome.cut_off))
    send(main, ("drained", outcome))


def _channel(config: Config) -> Channel | None:
    """The client on standard input and output, if there is one."""
    if not config.stdio.enabled:
        return None
    from erlmcp_py.transports.stdio import Channel

    return Channel(line_limit=config.stdio.line_limit)


def _signals(main: Pid) -> AbstractContextManager[None]:
    def first(number: signal.Signals) -> None:
        send(main, ("drain" if number == signal.SIGTERM else "stop", number.name))

    return stop_signals(first)


def _hang_up(main: Pid) -> AbstractContextManager[None]:
    def hung_up(*, terminal_is_gone: bool) -> None:
        send(main, ("stop", "its terminal is gone") if terminal_is_gone else ("reload", "SIGHUP"))

    return hang_up(hung_up)


def _open_console(
    config: Config, stop: Callable[[], object], claim: NameClaim | None = None
) -> Any:
    from erlmcp_py.console.place import PlaceError
    from erlmcp_py.console.service import Console
    from erlmcp_py.ops.health import report

    async def facts() -> dict[str, Any]:
        transports = await registry.transports()
        going = await drain.status()
        return {
            "health": (await report()).status if going is None else "draining",
            **({} if going is None else {"drain": msgspec.structs.asdict(going)}),
            "servers": sorted(await registry.servers()),
            "exposed": exposed(config),
            "transports": {name: entry.info for name, entry in transports.items()},
        }

    directory = Path(config.control.directory) if config.control.directory else None
    try:
        return Console.open(
            config.node.name, directory, root=ROOT, stop=stop, facts=facts, held=claim
        )
    except PlaceError as error:
        raise ConfigError(str(error)) from error


def _handover(console: Console | None) -> Callable[[tuple[str, ...], bytes], ChildSpec] | None:
    """Without a control directory nobody could ask."""
    if console is None:
        return None
    from erlmcp_py.handover import giver

    return partial(giver.child_spec, console.claim)


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
    where = path[-1] if path else ROOT
    match reason:
        case ("port_in_use", host, port):
            return (
                f"{where}: {host} port {port} is in use; stop who uses it, "
                f"or choose another port with --{where} HOST:PORT (0: any free one)"
            )
        case ("address_not_available", host, _):
            return f"{where}: {host} is no address of this machine"
        case ("port_forbidden", host, port):
            return f"{where}: this user may not listen on {host} port {port}; choose one above 1023"
        case ("unknown_host", host, text):
            return f"{where}: the host {host!r} is unknown: {text}"
        case ("socket_in_use", file):
            return f"{where}: somebody serves {file} already; stop who does, or choose another path"
        case ("not_a_socket", file):
            return f"{where}: {file} exists and is no socket; remove it, or choose another path"
        case ("tls", text):
            return f"{where}: tls: {text}"
        case ("cannot_listen", address, text):
            return f"{where}: cannot listen on {address}: {text}"
        case _:
            return f"{'/'.join([ROOT, *path])} cannot start: {format_reason(reason)}"
