"""The Inspector's command line against a node: one program per request, as people try servers out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import node as nodejs

from .conftest import Node
from .driving import has_node
from .inspecting import Inspector

pytestmark = pytest.mark.interop

SERVER = "tests.interop.servers.everything:server"
WAYS = [(transport, era) for transport in ("http", "stdio") for era in ("legacy", "modern")]
WAYS.append(("sse", "legacy"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    has_node()
    running = Node(tmp_path_factory.mktemp("inspected"), "--server", SERVER)
    yield running
    assert running.stop() == 0


@pytest.fixture(params=WAYS, ids="-".join)
def inspector(request: pytest.FixtureRequest, everything: Node, tmp_path: Path) -> Inspector:
    transport, era = request.param
    if transport == "http":
        target = [everything.url("everything"), "--transport", "http"]
    elif transport == "sse":
        target = [everything.url("everything/sse"), "--transport", "sse"]
    else:
        # In a file, because the Inspector has an option `--server` of its own.
        arguments = ["-m", "erlmcp_py", "run", "--stdio", "--server", SERVER]
        server = {"command": sys.executable, "args": arguments, "env": everything.env}
        config = tmp_path / "mcp.json"
        config.write_text(json.dumps({"mcpServers": {"everything": server}}))
        target = ["--config", str(config), "--server", "everything"]
    env = nodejs.environment() | everything.env | {"HOME": str(tmp_path)}
    return Inspector([*target, "--protocol-era", era], env)


def test_tools(inspector: Inspector) -> None:
    names = {tool["name"] for tool in inspector.result("tools/list", "--strict")["tools"]}
    assert {"echo", "report", "grow"} <= names  # from all pages; no schema is called unportable
    result = inspector.result(*("tools/call", "--tool-name", "report", "--tool-arg", "city=Rome"))
    assert result["structuredContent"]["city"] == "Rome"


@pytest.mark.parametrize("tool", ["fail", "no_such_tool"])
def test_tools_that_fail(inspector: Inspector, tool: str) -> None:
    run = inspector.run("tools/call", "--tool-name", tool)
    assert run.returncode == 5, run


def test_resources(inspector: Inspector) -> None:
    (text,) = inspector.result("resources/read", "--uri", "everything://counter")["contents"]
    assert text["text"].isdigit()
    (template,) = inspector.result("resources/templates/list")["resourceTemplates"]
    assert template["uriTemplate"] == "everything://cards/{name}"
    nothing = inspector.run("resources/read", "--uri", "everything://nothing")
    assert nothing.returncode == 1
    assert "Resource not found: everything://nothing" in nothing.stdout + nothing.stderr


def test_prompts(inspector: Inspector) -> None:
    (prompt,) = inspector.result("prompts/list")["prompts"]
    assert prompt["name"] == "trip"
    got = inspector.result("prompts/get", "--prompt-name", "trip", "--prompt-args", "city=Rome")
    assert got["messages"][0]["content"]["text"] == "Plan a cheap trip to Rome."


def test_a_crowd(inspector: Inspector) -> None:
    report = inspector.run(
        *("tools/call", "--tool-name", "echo", "--tool-arg", "text=hi"),
        *("--load", "--load-requests", "100", "--load-concurrency", "8"),
    )
    assert report.returncode == 0, report.stdout + report.stderr
    said = json.loads(report.stdout)
    said = said.get("result", said)
    assert (said["requests"], said["errors"]) == (100, 0), said
