"""The load of clients counts calls and judges answers; the fast upstream speaks what the gateway speaks."""

from __future__ import annotations

import json
import types
from typing import Any

import pytest

from bench.mcp import fast, wire
from bench.mcp.client_load import Load
from bench.mcp.clients import IMPORTED, import_ms
from bench.mcp.gateway import _fast, _on_demand
from bench.worker import WorkerError
from erlmcp_py.config import load


def result(text: str, *, is_error: bool = False) -> Any:
    return types.SimpleNamespace(content=[types.SimpleNamespace(text=text)], is_error=is_error)


async def run(answer: Any) -> dict[str, Any]:
    async def call() -> Any:
        return answer

    return await Load(call).run(0.01, 3)


async def test_every_caller_calls() -> None:
    found = await run(result("42"))
    assert found["requests"] >= 3
    assert (found["errors"], found["first_error"]) == (0, "")


@pytest.mark.parametrize("answer", [result("41"), result("42", is_error=True)])
async def test_wrong_answers_count_as_errors(answer: Any) -> None:
    found = await run(answer)
    assert found["errors"] == found["requests"]
    assert "namespace" in found["first_error"]


def test_both_clients_are_imported_by_a_process_that_has_not() -> None:
    assert all(import_ms(module) > 0 for module in IMPORTED.values())
    with pytest.raises(WorkerError, match="No module named 'nowhere'"):
        import_ms("nowhere")


def asked(method: str, **params: Any) -> dict[str, Any]:
    line = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    told: dict[str, Any] = json.loads(fast.answer(line.encode()))
    assert told["id"] == 7
    return told


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_the_fast_upstream_answers_the_load(era: str) -> None:
    assert wire.is_right(fast.answer(wire.template(era) % 7), 7)


def test_the_fast_upstream_says_what_it_is() -> None:
    assert asked("server/discover")["result"]["supportedVersions"] == [wire.MODERN]
    assert asked("initialize")["result"]["protocolVersion"] == wire.LEGACY
    assert [one["name"] for one in asked("tools/list")["result"]["tools"]] == ["add"]
    assert asked("resources/list")["error"]["code"] == -32601
    assert fast.answer(wire.initialized()) == b""


def test_its_configurations_are_read(tmp_path: Any) -> None:
    file = tmp_path / "node.toml"
    file.write_text(f"{_fast()}\n{_on_demand(3)}")
    upstreams = load(overlays=[file], env={}).upstreams
    assert set(upstreams) == {"fast", "u0", "u1", "u2"}
    assert [one.on_demand for one in upstreams.values()] == [False, True, True, True]
