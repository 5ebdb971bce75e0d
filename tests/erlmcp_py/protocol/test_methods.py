"""The table of methods is what the schemas say, and results are read by it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.extensions import skills, tasks
from erlmcp_py.protocol.jsonrpc import ErrorObject, Response
from erlmcp_py.protocol.methods import (
    NOTIFICATIONS,
    REQUESTS,
    find_notification,
    find_request,
)
from erlmcp_py.protocol.results import InvalidResult, read_result, result_as
from erlmcp_py.protocol.shape import CacheHint, shape_result
from erlmcp_py.protocol.versions import LATEST, SUPPORTED
from tests import schema_gate


def published(version: str, union: str) -> set[str]:
    """The methods of the messages in a union such as ClientRequest."""
    definitions = schema_gate.definitions_of(version)
    if union not in definitions:
        return set()
    node = definitions[union]
    names = [option["$ref"].rsplit("/", 1)[1] for option in node.get("anyOf", [])] or [union]
    return {definitions[name]["properties"]["method"]["const"] for name in names}


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    ("kind", "table"), [("Request", REQUESTS), ("Notification", NOTIFICATIONS)]
)
def test_who_sends_what(side: str, kind: str, table: Any, version: str) -> None:
    ours = {
        method.name
        for method in table
        if method.known_to(version) and method.sender in (side, "both") and not method.extension
    }
    assert ours == published(version, side.capitalize() + kind)


def test_a_name_means_one_thing_in_a_revision() -> None:
    for version in SUPPORTED:
        for table in (REQUESTS, NOTIFICATIONS):
            names = [method.name for method in table if method.known_to(version)]
            assert len(names) == len(set(names))
    assert find_request("tasks/get", "2025-11-25") is not find_request("tasks/get", LATEST)
    assert find_request("tasks/get", "2025-06-18") is None
    assert find_request("ping", LATEST) is None
    assert find_notification("notifications/tasks", "2025-11-25") is None


def read(method: str, result: Any, version: str = LATEST, **options: Any) -> Any:
    known = find_request(method, version)
    assert known is not None
    response = jsonrpc.decode(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())
    assert isinstance(response, Response)
    return read_result(response, known, version, **options)


TASK = {
    "resultType": "task",
    "taskId": "i",
    "status": "working",
    "createdAt": "2026-07-28T00:00:00Z",
    "lastUpdatedAt": "2026-07-28T00:00:00Z",
    "ttlMs": None,
}


def test_the_result_type_decides_what_a_modern_result_is() -> None:
    done = {"content": []}
    assert type(read("tools/call", done)) is mcp.CallToolResult  # absent means complete
    assert type(read("tools/call", {**done, "resultType": "complete"})) is mcp.CallToolResult
    asked = read("tools/call", {"resultType": "input_required", "requestState": "s"})
    assert asked == mcp.InputRequiredResult(request_state="s")
    task = read("tools/call", TASK, tasks=True)
    assert isinstance(task, tasks.CreateTaskResult)
    assert (task.task_id, task.ttl_ms) == ("i", None)


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("tools/call", {"content": [], "resultType": "surprise"}),
        ("tools/call", {"content": [], "resultType": 5}),
        ("tools/call", {"content": [], "resultType": None}),
        ("tools/list", {"tools": [], "resultType": "input_required"}),
        ("tools/call", TASK),  # nobody asked for tasks
        ("tools/call", {}),
        ("tools/call", {"content": [{"type": "text"}]}),
    ],
)
def test_results_that_are_none(method: str, result: Any) -> None:
    with pytest.raises(InvalidResult, match=method):
        read(method, result)


def test_a_legacy_result_has_no_type_to_look_at() -> None:
    result = read("tools/call", {"content": [], "resultType": "surprise"}, "2025-11-25")
    assert type(result) is mcp.CallToolResult


def test_the_error_names_place_and_expectation() -> None:
    with pytest.raises(
        InvalidResult, match=r"tools/list: result\.tools\[0\]\.name: Expected `str`"
    ):
        read("tools/list", {"tools": [{"name": 5, "inputSchema": {}}]})
    response = Response(1, jsonrpc.raw({"task": 1}))
    with pytest.raises(InvalidResult, match=r"the result: result\.task"):
        result_as(response, mcp.CreateTaskResult)


def detailed(status: Any, **members: Any) -> tasks.DetailedTask:
    return tasks.DetailedTask(
        task_id="i", status=status, created_at="c", last_updated_at="u", ttl_ms=None, **members
    )


STATES = [
    detailed("working", poll_interval_ms=500, status_message="half"),
    detailed("cancelled"),
    detailed("completed", result=msgspec.Raw(b'{"content":[]}')),
    detailed("failed", error=ErrorObject(-32603, "Internal error")),
    detailed("input_required", input_requests={"k": mcp.ListRootsRequest()}),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.status)
def test_tasks_of_the_extension(state: tasks.DetailedTask) -> None:
    shaped = msgspec.json.encode(shape_result(state, "modern", LATEST))
    schema_gate.check("extensions/tasks", "GetTaskResult", json.loads(shaped))
    back = msgspec.json.decode(shaped, type=tasks.DetailedTask)
    assert msgspec.json.encode(back) == shaped
    notified = json.loads(msgspec.json.encode(state))
    assert "resultType" not in notified
    schema_gate.check("extensions/tasks", "DetailedTask", notified)


@pytest.mark.parametrize(
    ("status", "members"),
    [
        ("working", {"result": msgspec.Raw(b"{}")}),
        ("completed", {}),
        ("failed", {}),
        ("input_required", {}),
        ("completed", {"result": msgspec.Raw(b"{}"), "error": ErrorObject(1, "m")}),
    ],
)
def test_a_task_has_what_its_status_says_and_nothing_else(status: str, members: Any) -> None:
    with pytest.raises(ValueError, match=f"a task that is {status}"):
        detailed(status, **members)


def test_a_created_task_is_valid() -> None:
    created = tasks.CreateTaskResult(
        task_id="i", status="working", created_at="c", last_updated_at="u", ttl_ms=60_000
    )
    value = json.loads(msgspec.json.encode(shape_result(created, "modern", LATEST)))
    schema_gate.check("extensions/tasks", "CreateTaskResult", value)
    assert value["resultType"] == "task"


SKILL = skills.Skill(
    "skill://a/SKILL.md",
    {"name": "a", "description": "d", "license": "x"},
    [skills.SkillResource("skill://a/SKILL.md", "sha256:" + "0" * 64, 5)],
)
DYNAMIC = skills.Skill("skill://b/SKILL.md", {"name": "b", "description": "d"}, "dynamic")


@pytest.mark.parametrize(
    ("definition", "result"),
    [
        ("ListSkillsResult", skills.ListSkillsResult(skills=[SKILL, DYNAMIC])),
        ("GetSkillResult", skills.GetSkillResult(skill=SKILL)),
        (
            "ReadDirectoryResult",
            skills.ReadDirectoryResult(resources=[mcp.Resource("skill://a/t", "t")]),
        ),
    ],
)
def test_skills(definition: str, result: mcp.Result) -> None:
    shaped = shape_result(result, "modern", LATEST, cache=CacheHint(60, "public"))
    encoded = msgspec.json.encode(shaped)
    schema_gate.check("extensions/skills", definition, json.loads(encoded))
    assert msgspec.json.decode(encoded, type=type(result)) == shaped


@pytest.mark.parametrize(
    "skill",
    [
        {"uri": "u", "frontmatter": {"name": "n"}, "resources": []},
        {"uri": "u", "frontmatter": {"name": "n", "description": 5}, "resources": []},
        {"uri": "u", "frontmatter": {"name": "n", "description": "d"}},
        {"uri": "u", "frontmatter": {"name": "n", "description": "d"}, "resources": "static"},
    ],
)
def test_skills_no_host_may_load(skill: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(skill, skills.Skill)
