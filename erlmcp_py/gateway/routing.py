"""Which upstream a request is for, and what the things it names are called there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from erlmcp_py.gateway import tasks
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import method_not_found, refused
from erlmcp_py.protocol.extensions.tasks import require
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.protocol.methods import find_request
from erlmcp_py.server.mirrored import check_parameters
from erlmcp_py.server.scope import Scope

PASSED: Final = tasks.METHODS | {
    "tools/call",
    "prompts/get",
    "resources/read",
    "completion/complete",
    "skills/get",
    "resources/directory/read",
}
"""Methods that are the upstream's to answer."""


def direct(face: Face, method: str, params: dict[str, Any], scope: Scope) -> Upstream:
    """Whose request it is; in `params` names become the upstream's own."""
    if method in tasks.METHODS:
        offered = any(tasks.has_tasks(each.hello, scope.version) for each in face.upstreams)
        if not offered or find_request(method, scope.version) is None:
            raise method_not_found(method)
        if scope.era == "modern":
            require(scope.client_capabilities)
        params["taskId"] = _text(params, "taskId", method)
        upstream = face.of_task(params["taskId"])
        if upstream.hello is not None and not tasks.has_tasks(upstream.hello, scope.version):
            raise method_not_found(method)
        return upstream
    if method in ("skills/get", "resources/directory/read"):
        params["uri"] = _text(params, "uri", method)
        if find_request(method, scope.version) is None:
            raise method_not_found(method)
        return face.skill(params["uri"])
    if method == "resources/read":
        params["uri"] = _text(params, "uri", method)  # not raw: a header repeats it
        return face.resource(params["uri"], scope.era)
    if method == "completion/complete":
        ref = params.get("ref")
        known: dict[str, Any] = {} if ref is None else _decoded(ref, method, "ref")
        if known.get("type") == "ref/prompt" and isinstance(known.get("name"), str):
            route = face.prompt(known["name"])
            params["ref"] = raw({**known, "name": route.name})
            return route.upstream
        uri = known.get("uri")
        if not isinstance(uri, str):
            raise refused(refusals.MISSING_FIELD, f"{method}: params.ref names nothing")
        return face.resource(uri, scope.era)
    name = _text(params, "name", method)
    route = face.tool(name) if method == "tools/call" else face.prompt(name)
    params["name"], arguments = route.name, Raw(b"{}")
    if method == "tools/call" and "arguments" in params:
        arguments = params["arguments"]
        params["arguments"] = _decoded(arguments, method, "arguments")
    if route.mirrored and scope.header is not None:
        check_parameters(route.mirrored, arguments, scope.header)
    return route.upstream


def _text(params: Mapping[str, Any], key: str, method: str) -> str:
    value = _value(params[key]) if key in params else None
    if not isinstance(value, str):
        raise refused(refusals.MISSING_FIELD, f"{method}: params.{key} must be a string")
    return value


def _decoded(value: Raw, method: str, key: str) -> dict[str, Any]:
    found = _value(value)
    if not isinstance(found, dict):
        raise refused(refusals.TYPE_MISMATCH, f"{method}: params.{key} must be an object")
    return found


_value = msgspec.json.Decoder().decode
