"""Every message that leaves the node in a test is checked against the schema of its revision.

The gate sits where bytes are made, in `protocol.jsonrpc`: there it sees each message that the code of
the node encodes or decodes. What it must know besides comes from watching:

- what a response answers: the requests that came in, by the process that decoded them and their ids
  (an answer may leave by another process than its request came by: a stream taken up again; then any
  open request of that id will do);
- the revision: the `_meta` of a modern request; of a legacy one the `Scope` it is dispatched with, or
  what the same process answered to `initialize`. Where nothing tells, a legacy message has to satisfy
  one of the legacy revisions.

A violation cannot be raised where it is found, for it would crash a process that its supervisor then
restarts. It is noted, and the fixture in `tests/conftest.py` fails the test. A node in a process of its
own (`tests/schema_gate_site`) notes it in the file that `REPORT` names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

import supervisors
from erlmcp_py.protocol import jsonrpc, methods
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Notification, Request, Response
from erlmcp_py.protocol.meta import PROTOCOL_VERSION
from erlmcp_py.protocol.versions import LATEST, LEGACY, SUPPORTED

DATA: Final = Path(__file__).parent / "data" / "mcp"
REPORT: Final = "ERLMCP_SCHEMA_GATE"
"""Environment variable: the file in which processes other than pytest's note violations."""

NODE: Final = "erlmcp_py."
PYTHONPATH: Final = os.pathsep.join(
    map(str, (Path(__file__).parents[1], Path(__file__).parent / "schema_gate_site"))
)
"""For the environment of a node in a process of its own, so that it is watched."""
_OLD_NAMES: Final = frozenset(LEGACY[1:])
"""Revisions that call the envelopes JSONRPCResponse and JSONRPCError."""


# --- schemas -----------------------------------------------------------------------------


@cache
def schema_of(version: str) -> dict[str, Any]:
    """The published schema of a revision; "extensions/NAME": ours of an extension."""
    name = f"{version}.json" if version.startswith("extensions/") else f"{version}/schema.json"
    schema: dict[str, Any] = json.loads((DATA / name).read_text())
    _mend(schema)
    return schema


def _mend(node: Any) -> None:
    """The published schemas were generated from TypeScript by a program that wrote its `number` as
    "integer" in unions of primitives, and lost `null`. Fractions in forms, and both in JSONValue, are
    meant to be allowed.
    """
    if isinstance(node, dict):
        if node.get("type") == ["string", "integer", "boolean"]:
            node["type"] = ["string", "number", "boolean", "null"]
        for value in node.values():
            _mend(value)
    elif isinstance(node, list):
        for value in node:
            _mend(value)


def definitions_of(version: str) -> dict[str, Any]:
    schema = schema_of(version)
    found: dict[str, Any] = schema.get("$defs") or schema["definitions"]
    return found


@cache
def validator_of(version: str, definition: str) -> Any:
    schema = schema_of(version)
    keyword = "$defs" if "$defs" in schema else "definitions"
    if definition not in schema[keyword]:
        raise LookupError(f"{version} defines no {definition}")
    return jsonschema_rs.validator_for({**schema, "$ref": f"#/{keyword}/{definition}"})


def mismatches(version: str, definition: str, value: Any) -> list[str]:
    """What is wrong with `value`, by that definition; empty if nothing is."""
    return [
        f"{definition} of {version}: {'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in validator_of(version, definition).iter_errors(value)
    ]


def check(version: str, definition: str, value: Any) -> None:
    """AssertionError with every mismatch."""
    problems = mismatches(version, definition, value)
    assert not problems, f"{problems}\n{json.dumps(value)}"


@cache
def _message_definitions(version: str) -> dict[str, str]:
    """Method or notification name -> the definition of that message."""
    found = {}
    for name, definition in definitions_of(version).items():
        constant = definition.get("properties", {}).get("method", {}).get("const")
        if constant is not None and not name.startswith(("Client", "Server")):
            found[constant] = name
    return found


# --- what a message has to satisfy -------------------------------------------------------


def of_response(method: str, version: str, value: Any) -> list[str]:
    """What is wrong with the response `value` to a request of `method` in that revision."""
    if "error" in value:
        old = version in _OLD_NAMES and "id" in value
        return mismatches(version, "JSONRPCError" if old else _error_name(version), value)
    envelope = "JSONRPCResponse" if version in _OLD_NAMES else "JSONRPCResultResponse"
    problems = mismatches(version, envelope, value)
    return problems + _of_result(method, version, value["result"])


def _error_name(version: str) -> str:
    # An error without an id cannot be said before 2025-11-25; it is sent all the same, for silence
    # would be worse, and is judged by the later definition.
    return "JSONRPCErrorResponse" if version not in _OLD_NAMES else "JSONRPCError"


def _of_result(method: str, version: str, result: Any) -> list[str]:
    known = methods.find_request(method, version)
    if known is None:
        return [f"{method} is no request of {version}, but got a result"]
    if known.extension is not None:
        return _of_extension_result(known, result)
    kind = result.get("resultType", "complete")
    if version == LATEST and kind == "input_required":
        return mismatches(version, "InputRequiredResult", result)
    if version == LATEST and kind == "task":
        return mismatches("extensions/tasks", "CreateTaskResult", result)
    if "task" in result and version == LEGACY[0]:
        return mismatches(version, "CreateTaskResult", result)
    name = getattr(known.result, "__name__", "Raw")
    return mismatches(version, "Result" if name == "Raw" else name, result)


def _of_extension_result(method: methods.Method, result: Any) -> list[str]:
    assert method.extension is not None
    schema = "extensions/" + method.extension.rpartition("/")[2]
    name = method.result.__name__
    name = {"EmptyResult": "Acknowledgement", "DetailedTask": "GetTaskResult"}.get(name, name)
    return mismatches(LATEST, "Result", result) + mismatches(schema, name, result)


def of_call(version: str, value: Any) -> list[str]:
    """What is wrong with a request or notification we send in that revision."""
    name = value["method"]
    is_request = "id" in value
    find = methods.find_request if is_request else methods.find_notification
    known = find(name, version)
    if known is None:
        return [f"{name} does not exist in {version}"]
    problems = mismatches(version, "JSONRPCRequest" if is_request else "JSONRPCNotification", value)
    definition = _message_definitions(version).get(name)
    if definition is not None:
        return problems + mismatches(version, definition, value)
    if known.extension is not None:
        schema = "extensions/" + known.extension.rpartition("/")[2]
        params = known.params.__name__
        if params in definitions_of(schema):
            problems += mismatches(schema, params, value.get("params", {}))
    return problems


def _best(problems: Iterable[list[str]]) -> list[str]:
    """Nothing if any alternative has no problem, else those of the first."""
    alternatives = list(problems)
    return [] if any(not found for found in alternatives) else alternatives[0]


# --- the gate ----------------------------------------------------------------------------


class Gate:
    """Watches one Python process. `violations`: what was found since `take`."""

    def __init__(self, report: str | None = None) -> None:
        self.violations: list[str] = []
        self.checked = 0
        self._report = report
        self._asked: dict[tuple[Any, Any], tuple[str, str | None]] = {}
        self._by_id: dict[Any, dict[tuple[str, str | None], None]] = {}
        self._negotiated: dict[Any, dict[str, None]] = {}

    def install(self) -> None:
        """Take the places of the two codecs and of `Dispatch`'s constructor, for good."""
        from erlmcp_py.server.process import Dispatch

        inner_encode, inner_decode = jsonrpc._encode, jsonrpc._envelope
        inner_dispatch = Dispatch.__init__

        def encode(value: Any, *more: Any) -> bytes:
            encoded = inner_encode(value, *more)
            if isinstance(value, Request | Notification | Response | ErrorResponse) and _ours(2):
                self.leaves(value, encoded)
            return encoded

        def decode(data: Any) -> Any:
            envelope = inner_decode(data)
            if type(envelope.id) in (str, int) and type(envelope.method) is str and _ours(2):
                self.arrives(envelope)
            return envelope

        def dispatch(instance: Any, request: Any, scope: Any) -> None:
            inner_dispatch(instance, request, scope)
            self.dispatched(request.id, scope.version)

        jsonrpc._encode = encode  # type: ignore[assignment]
        jsonrpc._envelope = decode
        Dispatch.__init__ = dispatch  # type: ignore[method-assign]

    def forget(self) -> None:
        """A new test: nothing that was asked before matters."""
        self._asked.clear()
        self._by_id.clear()
        self._negotiated.clear()

    def take(self) -> list[str]:
        """The violations so far, which are then forgotten."""
        found, self.violations = self.violations, []
        return found

    def arrives(self, envelope: Any) -> None:
        """A request is decoded: its answer will have to satisfy it."""
        self._note(envelope.id, envelope.method, _modern_version(envelope.params))

    def dispatched(self, id: Any, version: str) -> None:
        """The process that is running has found out which revision a request is of."""
        known = self._asked.get((_process(), id))
        if known is not None and known[0] != "initialize":
            self._note(id, known[0], version)
            self._speaks(version)

    def leaves(self, message: Any, encoded: bytes) -> None:
        """A message is encoded by the node: note what is wrong with it."""
        self.checked += 1
        value = json.loads(encoded)
        if isinstance(message, Response | ErrorResponse):
            problems = self._answered(message.id, value)
        else:
            problems = _best(of_call(version, value) for version in self._versions(value))
        for problem in problems:
            self._violation(f"{problem}\n    {encoded[:2000].decode()}")

    def _answered(self, id: Any, value: Any) -> list[str]:
        asked = self._asked.get((_process(), id))
        candidates = [asked] if asked is not None else list(self._by_id.get((type(id), id), ()))
        if "error" in value:
            versions = {version for _, version in candidates if version} or {LATEST}
            if "id" not in value:
                versions = {LATEST}
            return _best(of_response("", version, value) for version in versions)
        if not candidates:
            return _best(
                mismatches(version, "JSONRPCResultResponse", value) for version in (LATEST,)
            )
        if any(method == "initialize" for method, _ in candidates):
            version = value["result"].get("protocolVersion")
            if version in LEGACY:
                self._speaks(version)
                return of_response("initialize", version, value)
        return _best(
            of_response(method, version, value)
            for method, known in candidates
            for version in ([known] if known else self._legacy())
        )

    def _versions(self, value: Any) -> Sequence[str]:
        """The revisions a request or notification of ours may be of."""
        meta = value.get("params", {}).get("_meta", {})
        if meta.get(PROTOCOL_VERSION) in SUPPORTED:
            return [meta[PROTOCOL_VERSION]]
        if "id" in value:
            return self._legacy()
        spoken = [*self._negotiated.get(_process(), ())]
        modern = [LATEST] if any(v == LATEST for _, v in self._asked.values()) else []
        return list(dict.fromkeys([*spoken, *modern])) or SUPPORTED

    def _legacy(self) -> Sequence[str]:
        spoken = [v for v in self._negotiated.get(_process(), ()) if v in LEGACY]
        return spoken or LEGACY

    def _speaks(self, version: str) -> None:
        self._negotiated.setdefault(_process(), {})[version] = None

    def _note(self, id: Any, method: str, version: str | None) -> None:
        self._asked[_process(), id] = (method, version)
        self._by_id.setdefault((type(id), id), {})[method, version] = None

    def _violation(self, text: str) -> None:
        self.violations.append(text)
        if self._report is not None:
            with Path(self._report).open("a") as report:
                report.write(text + "\n")


def _modern_version(params: Any) -> str | None:
    """The version a request's `_meta` names, if it is one of ours."""
    try:
        version = json.loads(bytes(params) or b"{}")["_meta"][PROTOCOL_VERSION]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return version if version in SUPPORTED else None


def _process() -> Any:
    try:
        return supervisors.self()
    except RuntimeError:
        return None


def _ours(depth: int) -> bool:
    """Whether the node's own code asked for this, not a test that plays a peer."""
    frame = sys._getframe(depth)
    while frame.f_back is not None and frame.f_globals.get("__name__") == jsonrpc.__name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).startswith(NODE)


def install_in_child() -> None:
    """For `sitecustomize`: watch this process if `REPORT` is set."""
    report = os.environ.get(REPORT)
    if report:
        Gate(report).install()
