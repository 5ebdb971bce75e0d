"""The gate finds what is wrong, and lets pass what is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import Notification, Request, Response
from erlmcp_py.protocol.versions import LATEST, LEGACY
from erlmcp_py.server.process import Dispatch
from erlmcp_py.server.scope import Scope
from tests import schema_gate
from tests.schema_gate import Gate

META = {
    "io.modelcontextprotocol/protocolVersion": LATEST,
    "io.modelcontextprotocol/clientCapabilities": {},
}
GOOD = {
    "tools/call": {"content": [], "resultType": "complete"},
    "tools/list": {"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"},
    "subscriptions/listen": {
        "resultType": "complete",
        "_meta": {"io.modelcontextprotocol/subscriptionId": 1},
    },
}


def asked(method: str, params: Any, id: int | str = 1) -> Gate:
    """A gate that has seen this request come in."""
    gate = Gate()
    line = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    gate.arrives(jsonrpc._envelope(json.dumps(line).encode()))
    return gate


def found(gate: Gate, message: Any) -> list[str]:
    gate.leaves(message, jsonrpc.encode(message))
    return gate.take()


@pytest.mark.parametrize("method", GOOD)
def test_a_right_answer_passes_and_without_any_of_its_members_it_does_not(method: str) -> None:
    gate = asked(method, {"_meta": META})
    assert found(gate, Response(1, GOOD[method])) == []
    for member in GOOD[method]:
        lacking = {name: value for name, value in GOOD[method].items() if name != member}
        assert found(gate, Response(1, lacking)), f"without {member}"


def test_the_gate_of_all_tests_hears_what_a_server_is_given(
    schema_gate_: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(schema_gate_, "dispatched", lambda *noted: heard.append(noted))
    scope = Scope(era="legacy", version=LEGACY[0], key=(Any, 7), notify=print)
    Dispatch(Request(7, "ping"), scope)
    assert heard == [(7, LEGACY[0])]


def test_the_revision_decides() -> None:
    legacy, modern = asked("tools/call", {}), asked("tools/call", {"_meta": META})
    plain = Response(1, {"content": []})
    assert found(legacy, plain) == []
    assert "resultType" in found(modern, plain)[0]
    link = {"content": [{"type": "resource_link", "uri": "a:b", "name": "n"}]}
    opened = asked("initialize", {}, id=0)
    answer = {
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "serverInfo": {"name": "n", "version": "1"},
    }
    assert found(opened, Response(0, answer)) == []
    opened.arrives(jsonrpc._envelope(b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}'))
    assert found(opened, Response(1, link))
    assert found(legacy, Response(1, link)) == []


def test_an_answer_by_another_process_is_judged_by_the_open_requests_of_its_id() -> None:
    gate = asked("tools/call", {"_meta": META})
    gate._asked.clear()
    assert found(gate, Response(1, GOOD["tools/call"])) == []
    assert found(gate, Response(1, {"resultType": "complete"}))


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (jsonrpc.notification("notifications/progress", {"progress": 1}), "progressToken"),
        (jsonrpc.notification("notifications/no_such", {}), "does not exist"),
        (Request("a", "elicitation/create", jsonrpc.raw({"message": "m"})), "anyOf"),
        (jsonrpc.request(1, "roots/list", {"_meta": META}), "does not exist"),
        (jsonrpc.request(1, "tools/call", {"_meta": {**META}}), "name"),
    ],
)
def test_calls_of_ours(message: Request | Notification, fault: str) -> None:
    problems = found(Gate(), message)
    assert fault in problems[0]


def test_right_calls_of_ours() -> None:
    form = {"message": "m", "requestedSchema": {"type": "object", "properties": {}}}
    for message in (
        jsonrpc.notification("notifications/progress", {"progress": 1, "progressToken": "t"}),
        jsonrpc.request("a", "elicitation/create", form),
        jsonrpc.request("b", "ping"),
        jsonrpc.request(1, "tools/call", {"_meta": META, "name": "n"}),
    ):
        assert found(Gate(), message) == []


@pytest.mark.parametrize("version", [LATEST, *LEGACY])
def test_errors(version: str) -> None:
    gate = Gate()
    error = jsonrpc.error_response(1, McpError(-32603, "Internal error"))
    assert found(gate, error) == []
    value = {"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": "m"}}
    assert schema_gate.of_response("ping", version, value)


def test_a_node_in_a_process_of_its_own_reports(tmp_path: Path) -> None:
    report = tmp_path / "report"
    code = (
        "import sys\n"
        "from erlmcp_py.protocol import jsonrpc\n"
        "code = compile(\"jsonrpc.encode(jsonrpc.notification('notifications/none'))\", '', 'exec')\n"
        "exec(code, {'jsonrpc': jsonrpc, '__name__': 'erlmcp_py.some.transport'})\n"
    )
    environment = {"PYTHONPATH": schema_gate.PYTHONPATH, schema_gate.REPORT: str(report)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert "notifications/none does not exist" in report.read_text()


def test_what_a_test_itself_encodes_is_not_the_nodes(schema_gate_: Gate) -> None:
    before = schema_gate_.checked
    jsonrpc.encode(jsonrpc.notification("notifications/none"))
    assert schema_gate_.checked == before
