"""The process that stands for an upstream, or for all of them: it answers as a server process does.

What is known it answers itself, also while the upstream is down: who it is, and its lists. What the
upstream has to answer gets a process of its own (`crew`), which waits for it; a cancelled call is a killed
process, whose request is then cancelled at the upstream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

import supervisors
from erlmcp_py import registry
from erlmcp_py.client import ClientError
from erlmcp_py.gateway.crew import Crew, is_unattached
from erlmcp_py.gateway.face import LEARNT, Face
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.kinds import METHODS
from erlmcp_py.gateway.passing import Answer, pass_on
from erlmcp_py.gateway.routing import PASSED
from erlmcp_py.guards.drain import CutOff
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError, method_not_found, refused
from erlmcp_py.protocol.jsonrpc import Request, RequestId, Response, error_response, params_as, raw
from erlmcp_py.protocol.lifecycle import EmptyResult, InitializeParams
from erlmcp_py.protocol.methods import find_request
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.protocol.wire import PaginatedParams, Result
from erlmcp_py.server.failures import describe_reason
from erlmcp_py.server.process import Cancel, Dispatch, Honour, RootsChanged
from erlmcp_py.server.scope import Scope
from erlmcp_py.telemetry.log import log
from supervisors import GenServer, Ignore, Pid, exit_signal, format_reason

_KINDS = {method: kind for kind, method in METHODS.items()}
_OFFERED_BY = {
    "tools/list": "tools", "tools/call": "tools",
    "prompts/list": "prompts", "prompts/get": "prompts",
    "resources/list": "resources", "resources/templates/list": "resources",
    "resources/read": "resources", "completion/complete": "completions",
}  # fmt: skip


class _Done(msgspec.Struct, frozen=True):
    """What the process of a request tells at its end. free: whether it can have another."""

    pid: Pid
    answer: Answer
    free: bool


class _Running(msgspec.Struct):
    request: Request
    scope: Scope
    caller: Any

    @property
    def client(self) -> Pid:
        return self.scope.session or self.scope.key[0]


@dataclass(slots=True)
class GatewayState:
    """All that the process knows."""

    face: Face
    in_flight: InFlight
    running: dict[Pid, _Running] = field(default_factory=dict)
    keys: dict[tuple[Pid, RequestId], Pid] = field(default_factory=dict)
    crew: Crew = field(default_factory=Crew)
    requests: int = 0
    refused: int = 0


class GatewayProcess(GenServer):
    """See the module. Start arguments: `(face, in_flight, mailbox)`. Requests and casts: those of
    `server.process.ServerProcess`.
    """

    def init(self, face: Face, in_flight: InFlight, mailbox: int = 10_000) -> tuple[str, Any]:
        """Trap exits: the crash of a request is its answer, and nobody else's concern."""
        supervisors.trap_exit(True)
        supervisors.limit_mailbox(mailbox, "refuse", exempt=_is_no_request)
        supervisors.set_label(f"gateway {face.name}")
        face.look()  # a predecessor may have ended before it did
        return ("ok", GatewayState(face, in_flight))

    def handle_call(self, request: Any, from_: Any, state: GatewayState) -> tuple[Any, ...]:
        """Answer a `Dispatch` now, or when its process has ended."""
        if type(request) is Dispatch:
            answer = _dispatch(state, request.request, request.scope, from_)
            return ("noreply", state) if answer is None else ("reply", answer, state)
        if type(request) is Honour:
            face, honoured = state.face, state.face.honoured(request.wanted)
            if honoured == request.wanted or face.is_known:
                return ("reply", (face.name, honoured), state)
            supervisors.spawn_link(_honour, face, request.wanted, from_, label="subscribing")
            return ("noreply", state)
        if request == ("info",):
            return ("reply", _info(state), state)
        return ("reply", ("error", f"unknown request {request!r}"), state)

    def handle_cast(self, request: Any, state: GatewayState) -> tuple[Any, ...]:
        """Cancel a call, or all; or look at what has been learnt."""
        if isinstance(request, Cancel):
            pid = state.keys.get(request.key)
            if pid is not None:
                text = f"cancelled: {request.reason}" if request.reason else "cancelled"
                _fail(state, pid, McpError(INTERNAL_ERROR, f"The request was {text}"))
        elif isinstance(request, CutOff):
            _fail_all(state, request.text)
        elif isinstance(request, RootsChanged):
            _tell_roots(state.face, request.scope)
        elif request == LEARNT:
            state.face.look()
        return ("noreply", state)

    def handle_info(self, message: Any, state: GatewayState) -> tuple[Any, ...]:
        """Answers, and processes that ended without one."""
        match message:
            case _Done(pid, answer, free) if pid in state.running:
                if free:
                    state.crew.keep(pid)
                supervisors.reply(_end(state, pid).caller, answer)
            case ("EXIT", Pid() as pid, reason) if pid in state.running:
                running = _end(state, pid)
                text = f"the request was lost: {format_reason(reason)}"
                error = refused(refusals.INTERNAL_ERROR, text)
                supervisors.reply(running.caller, error_response(running.request.id, error))
            case ("EXIT", Pid() as pid, _):
                state.crew.lost(pid)
        return ("noreply", state)

    def terminate(self, reason: Any, state: GatewayState) -> None:
        """Tell those who still wait."""
        _fail_all(state, f"The server is stopping: {describe_reason(reason)}")
        state.crew.dismiss()

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show how the upstreams stand."""
        state = status.get("state")
        return {**status, "state": _info(state)} if isinstance(state, GatewayState) else status


async def start_face(face: Face, in_flight: InFlight, mailbox: int) -> Pid:
    """Start the process of a face, named `server_NAME`, and register it; as the default server if it is
    of all upstreams. Raises Ignore for one that is served no more.
    """
    if face.is_removed:
        raise Ignore
    pid = await GatewayProcess.start_link(face, in_flight, mailbox, name=f"server_{face.name}")
    try:
        await registry.register_server(face.name, pid, face)
        if face.together:
            await registry.set_default(face.name)
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid


def _is_no_request(message: object) -> bool:
    return type(message) is not Dispatch and type(message) is not Honour


def _dispatch(state: GatewayState, request: Request, scope: Scope, caller: Any) -> Answer | None:
    """The answer, or None if a process will give it."""
    state.requests += 1
    method = request.method
    if method not in PASSED and (state.face.is_known or method == "ping"):
        answer = _local(state.face, request, scope)
        state.refused += not isinstance(answer, Response)
        return answer
    no_room = state.in_flight.enter(supervisors.self(), scope.session or scope.key[0])
    if no_room is not None:
        state.refused += 1
        return error_response(request.id, no_room)
    label = f"{state.face.name}/{method}"
    pid = state.crew.begin(label, _work, supervisors.self(), state.face, request, scope)
    state.running[pid] = _Running(request, scope, caller)
    state.keys[scope.key] = pid
    return None


async def _work(server: Pid, face: Face, request: Request, scope: Scope) -> bool:
    """What the process of a request does; whether it can have another."""
    try:
        if request.method in PASSED:
            answer = await pass_on(face, request, scope, server)
        else:
            await face.known()
            answer = _local(face, request, scope)
    except McpError as error:
        answer = error_response(request.id, error)
    free = is_unattached(server)
    supervisors.send(server, _Done(supervisors.self(), answer, free))
    return free


async def _honour(face: Face, wanted: SubscriptionFilter, caller: Any) -> None:
    supervisors.reply(caller, (face.name, await face.honoured_soon(wanted)))


def _tell_roots(face: Face, scope: Scope) -> None:
    """Those may ask for the roots again that a server of the older revisions is told of."""
    declared = scope.client_capabilities
    if declared is None or declared.roots is None:
        return
    for upstream in face.upstreams:
        for instance in upstream.instances:
            if instance.is_up and instance.client.hello.era == "legacy":
                label = f"roots for {instance.label}"
                supervisors.spawn_link(_tell_roots_to, instance, scope, label=label)


async def _tell_roots_to(instance: Instance, scope: Scope) -> None:
    try:
        await instance.questions.roots_changed(scope, instance.client.roots_changed)
    except ClientError as problem:
        log("info", f"{instance.label} could not be told that roots have changed: {problem}")


def _local(face: Face, request: Request, scope: Scope) -> Answer:
    """The answer to what the node knows itself."""
    try:
        result = _known(face, request, scope)
    except McpError as error:
        return error_response(request.id, error)
    if not isinstance(result, Result):
        return Response(request.id, result)
    shaped = shape_result(result, scope.era, _version(result, scope), server_info=raw(face.info))
    return Response(request.id, shaped)


def _version(result: Result, scope: Scope) -> str:
    """A handshake is answered in the revision that it agrees on."""
    return getattr(result, "protocol_version", scope.version)


def _known(face: Face, request: Request, scope: Scope) -> Any:
    method = request.method
    if scope.era == "legacy":
        if method == "initialize":
            return face.initialize(params_as(request, InitializeParams).protocol_version)
        if method == "ping":
            return EmptyResult()
    elif method == "server/discover":
        return face.discover()
    kind = _KINDS.get(method)
    if kind is None or find_request(method, scope.version) is None:
        raise method_not_found(method)
    if kind == "skills":
        if not face.has_skills:
            raise method_not_found(method)
    elif getattr(face.capabilities(), _OFFERED_BY[method]) is None:
        raise method_not_found(method)
    return face.listing(kind, params_as(request, PaginatedParams).cursor, scope)


def _end(state: GatewayState, pid: Pid) -> _Running:
    running = state.running.pop(pid)
    if state.keys.get(running.scope.key) == pid:
        del state.keys[running.scope.key]
    state.in_flight.leave(supervisors.self(), running.client)
    return running


def _fail(state: GatewayState, pid: Pid, error: McpError) -> None:
    running = _end(state, pid)
    supervisors.reply(running.caller, error_response(running.request.id, error))
    supervisors.exit(pid, "kill")


def _fail_all(state: GatewayState, text: str) -> None:
    for pid in list(state.running):
        _fail(state, pid, refused(refusals.SHUTTING_DOWN, text))


def _info(state: GatewayState) -> dict[str, Any]:
    return {
        "name": state.face.name,
        "upstreams": {
            each.name: {
                "where": each.where,
                **_standing(each.standing()),
                "waiting": each.waiting,
                "breaker": {"state": each.breaker.state, "changes": dict(each.breaker.changes)},
                "parked": len(each.parked),
                "instances": [
                    {"number": one.number, **_standing(one.standing())} for one in each.instances
                ],
            }
            for each in state.face.upstreams
        },
        "requests": state.requests,
        "refused": state.refused,
        "in_flight": len(state.running),
    }


def _standing(standing: Any) -> dict[str, Any]:
    return {key: getattr(standing, key) for key in standing.__struct_fields__}
