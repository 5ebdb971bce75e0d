"""The states of a task: what may follow what, and what clients are told of each."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from erlmcp_py.protocol.content import TextContent
from erlmcp_py.protocol.elicitation import form
from erlmcp_py.protocol.errors import EncodeError, McpError
from erlmcp_py.protocol.input import ElicitRequest
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.versions import LATEST
from erlmcp_py.server.results import tool_failure
from erlmcp_py.server.tasks import record as records
from erlmcp_py.server.tasks.record import Owner, TaskRecord
from tests import schema_gate

QUESTION = ElicitRequest(form("Who?", {"type": "object", "properties": {}}))
KEYS = st.sampled_from(["a", "b", "c"])
OUTCOMES = st.sampled_from(
    [
        CallToolResult(content=[TextContent("done")]),
        tool_failure("it failed"),
        McpError(-32603, "crashed"),
        McpError(-32602, "bad", {"more": [1]}),
    ]
)


def make(version: str = LATEST, **fields: Any) -> TaskRecord:
    defaults: dict[str, Any] = {
        "id": "task-1",
        "owner": Owner("s"),
        "tool": "t",
        "version": version,
        "created_at": 1000.0,
        "updated_at": 1000.0,
        "ttl": 60.0,
        "poll_interval": 0.5,
    }
    return TaskRecord(**defaults | fields)


class Life(RuleBasedStateMachine):
    """Anything may happen to a task at any time."""

    ends = Bundle("ends")

    def __init__(self) -> None:
        super().__init__()
        self.version = LATEST
        self.record = make()
        self.open: set[str] = set()
        self.ended: TaskRecord | None = None
        self.now = 1000.0

    @rule(version=st.sampled_from([LATEST, "2025-11-25"]))
    def begin_anew(self, version: str) -> None:
        self.record, self.open, self.ended = make(version), set(), None

    @rule(step=st.floats(-5, 5))
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(keys=st.sets(KEYS, max_size=3))
    def ask(self, keys: set[str]) -> None:
        self.record = records.asked(self.record, dict.fromkeys(keys, QUESTION), self.now)
        if self.ended is None:
            self.open |= keys

    @rule(keys=st.sets(KEYS, max_size=3))
    def answer(self, keys: set[str]) -> None:
        self.record = records.answered(self.record, keys, self.now)
        self.open -= keys

    @rule(text=st.text(max_size=5))
    def say(self, text: str) -> None:
        self.record = records.said(self.record, text, self.now)
        if self.ended is None:
            assert self.record.message == text

    @rule(outcome=OUTCOMES)
    def finish(self, outcome: Any) -> None:
        self.record = records.finished(self.record, outcome, self.now)
        self.settle()

    @rule()
    def cancel(self) -> None:
        self.record = records.cancelled(self.record, self.now)
        self.settle()

    def settle(self) -> None:
        self.open = set()
        if self.ended is None:
            self.ended = self.record

    @invariant()
    def what_has_ended_stays(self) -> None:
        if self.ended is not None:
            assert self.record is self.ended
        assert self.record.ended is (self.ended is not None)

    @invariant()
    def it_waits_while_a_question_is_open(self) -> None:
        assert set(self.record.questions) == self.open
        if self.ended is None:
            assert self.record.status == ("input_required" if self.open else "working")

    @invariant()
    def time_does_not_go_back(self) -> None:
        assert self.record.updated_at >= self.record.created_at

    @invariant()
    def it_survives_a_store(self) -> None:
        encoded = msgspec.json.encode(self.record)
        back = msgspec.json.decode(encoded, type=TaskRecord)
        assert msgspec.json.encode(back) == encoded
        assert back.questions == self.record.questions

    @invariant()
    def clients_are_told_in_the_shape_of_their_revision(self) -> None:
        record = self.record
        if record.era == "modern":
            shaped = shape_result(records.detailed(record), "modern", LATEST)
            schema_gate.check("extensions/tasks", "GetTaskResult", json.loads(bytes(raw(shaped))))
        else:
            for name, told in (
                ("GetTaskResult", records.told(record)),
                ("CancelTaskResult", records.told_cancelled(record)),
                ("Task", records.listed(record)),
            ):
                schema_gate.check("2025-11-25", name, json.loads(bytes(raw(told))))


TestLife = Life.TestCase


def test_a_tool_that_failed_is_failed_in_one_flavour_and_completed_in_the_other() -> None:
    failure = tool_failure("no")
    modern = records.finished(make(), failure, 1001.0)
    legacy = records.finished(make("2025-11-25"), failure, 1001.0)
    assert (modern.status, legacy.status) == ("completed", "failed")
    for record in (modern, legacy):
        assert msgspec.json.decode(record.result, type=CallToolResult).is_error is True


def test_a_result_without_json_is_an_error_and_not_a_state() -> None:
    record = make()
    with pytest.raises(EncodeError):
        records.finished(record, CallToolResult(content=[TextContent("\ud800")]), 1001.0)


@pytest.mark.parametrize("version", [LATEST, "2025-11-25"])
def test_times_are_iso_8601_and_durations_whole_milliseconds(version: str) -> None:
    record = make(version, ttl=0.0004, created_at=1_753_000_000.25)
    created = json.loads(bytes(raw(records.created(record))))
    task = created.get("task", created)
    assert task["createdAt"] == "2025-07-20T08:26:40.250Z"
    assert [
        task.get("ttlMs", task.get("ttl")),
        task.get("pollIntervalMs", task.get("pollInterval")),
    ] == [1, 500]


def test_a_task_that_never_expires_says_null() -> None:
    record = make(ttl=None)
    assert record.expires is None
    assert json.loads(bytes(raw(records.created(record))))["ttlMs"] is None
