"""`erlmcp-node client TARGET …`: every command, by what it prints and how it exits."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.person import Person
from erlmcp_py.cli.client.targets import make_client
from erlmcp_py.cli.client.way import Way
from erlmcp_py.client import Client
from erlmcp_py.client.where import AtSocket, AtWebSocket
from tests import schema_gate
from tests.interop.conftest import COMMAND, ROOT, Node

from .calls import SIMPLE, as_json, at_terminal, run

__all__ = ["at_terminal"]

EVERYTHING = "tests.interop.servers.everything:server"

PROGRAM = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    found = {
        "initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                       "serverInfo": {"name": "old", "version": "7"}},
        "tools/list": {"tools": [{"name": "hi", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": "hello"}]},
    }.get(asked["method"])
    answer = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"]} | answer), flush=True)
    print("I am", asked["method"], file=sys.stderr, flush=True)
"""
HI = '{"name": "hi", "inputSchema": {"type": "object"}}'
BEHIND = ("--", sys.executable, "-c", PROGRAM)


def client(*words: str, answers: str = "") -> str:
    result = run("client", *words, answers=answers)
    assert result.exit_code == 0, result.output
    return result.stdout


# --- looking ----------------------------------------------------------------------------------


def test_lists_of_all_kinds_or_some() -> None:
    everything = client(EVERYTHING, "list")
    for word in ("summarize", "everything://pixel", "everything://cards/{name}", "trip"):
        assert word in everything
    assert "trip" not in client(EVERYTHING, "list", "tools", "templates")
    found = as_json("client", EVERYTHING, "list", "prompts")
    assert list(found) == ["prompts"]
    assert found["prompts"][0]["arguments"][0]["name"] == "city"
    assert len(as_json("client", EVERYTHING, "list")["tools"]) == 16  # in pages of four


def test_a_list_that_a_server_does_not_have() -> None:
    for words in (
        ["examples.calculator:server", "list", "resources"],
        ["list", "resources", *BEHIND],
    ):
        result = run("client", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "erlmcp-node: the server has no resources\n"
    assert client(EVERYTHING, "list", "tools", "--era", "legacy") != "(nothing)\n"
    assert client("list", "--", sys.executable, "-c", PROGRAM.replace(HI, "")) == "(nothing)\n"


def test_who_it_is() -> None:
    shown = client(EVERYTHING, "info", "--era", "legacy").splitlines()
    assert shown[:3] == ["Everything (everything 1.2.3)", "Try it.", "revisions: 2025-11-25"]
    assert shown[-1] == "spoken here: 2025-11-25 (legacy)"
    found = as_json("client", EVERYTHING, "info")
    assert found["protocolVersion"] == found["supportedVersions"][0] == "2026-07-28"
    assert found["server"]["version"] == "1.2.3"


def test_ping() -> None:
    assert client(SIMPLE, "ping").startswith("pong after ")
    assert as_json("client", SIMPLE, "ping")["seconds"] > 0


# --- asking for things --------------------------------------------------------------------------


def test_call_is_what_the_short_form_is() -> None:
    assert client(SIMPLE, "call", "echo", "text=a") == run("call", SIMPLE, "echo", "text=a").stdout
    result = run("client", SIMPLE, "call", "refuse", "wish=fly")
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_resource_as_text_or_described() -> None:
    assert client(SIMPLE, "read", "simple://greeting").startswith("Hello")
    shown = client(EVERYTHING, "read", "everything://pixel")
    assert shown == "[everything://pixel, 69 bytes; --json shows them]\n"
    contents = as_json("client", EVERYTHING, "read", "everything://pixel")["contents"]
    assert contents[0]["mimeType"] == "image/png"
    result = run("client", SIMPLE, "read", "simple://nothing")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_prompt() -> None:
    assert client(EVERYTHING, "prompt", "trip", "city=Rome").startswith("user: ")
    found = as_json("client", EVERYTHING, "prompt", "trip", "city=Rome")
    assert found["messages"][0]["role"] == "user"
    result = run("client", EVERYTHING, "prompt", "trip", "city:=3")
    assert (result.exit_code, result.stderr) == (
        2,
        "erlmcp-node: city: must be text; write city=VALUE\n",
    )


def test_completions() -> None:
    assert client(EVERYTHING, "complete", "trip", "city", "Li") == "Lisbon\nLiverpool\n"
    template = "everything://cards/{name}"
    assert client(EVERYTHING, "complete", template, "name", "a", "x=y") == "a1\na2\n"
    assert as_json("client", EVERYTHING, "complete", "trip", "city", "Li")["values"]


def test_skills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "skills" / "tea"
    home.mkdir(parents=True)
    text = "---\nname: tea\ndescription: How tea is made.\n---\nBoil water.\n"
    (home / "SKILL.md").write_text(text)
    (home / "pot.txt").write_text("A pot.")
    (tmp_path / "team.py").write_text(
        "from erlmcp_py.server import Server\n"
        "server = Server('team', version='1')\n"
        "server.skills('skills')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "team", raising=False)
    listed = client("team:server", "skills")
    assert "skill://tea/SKILL.md" in listed
    assert "How tea is made." in listed
    assert client("team:server", "skills", "skill://tea/SKILL.md") == text
    words = ["skill://tea/SKILL.md", "skill://tea/pot.txt"]
    assert client("team:server", "skills", *words) == "A pot."
    entry = as_json("client", "team:server", "skills", "skill://tea/SKILL.md")
    assert entry["frontmatter"]["name"] == "tea"
    result = run("client", "team:server", "skills", words[0], "skill://tea/cup.txt")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "is no file of skill://tea/SKILL.md" in result.stderr


# --- being asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_roots_are_those_that_are_named(era: str, tmp_path: Path) -> None:
    words = [EVERYTHING, "call", "places", "--era", era, "--json"]
    found = json.loads(client(*words, "--root", str(tmp_path), "--root", "/"))
    assert f"file://{tmp_path}" in str(found["structuredContent"])
    refused = run("client", EVERYTHING, "call", "places", "--era", era)
    assert refused.exit_code in (1, 2)
    assert "roots" in refused.stderr


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.usefixtures("at_terminal")
def test_somebody_answers_for_the_model(era: str) -> None:
    words = [EVERYTHING, "call", "summarize", "text=long", "--era", era]
    result = run("client", *words, "--sample", answers="short\n")
    assert (result.exit_code, result.stdout) == (0, "short\n"), result.output
    assert "The server asks a model:\n" in result.stderr
    declined = run("client", *words, "--sample", answers="\n")
    assert declined.exit_code in (1, 2)
    assert "rejected" in declined.stderr


# --- where it is --------------------------------------------------------------------------------


def test_a_program_behind_the_dashes() -> None:
    assert client("call", "hi", *BEHIND) == "hello\n"
    result = run("client", "list", "--verbose", *BEHIND)
    assert result.exit_code == 0
    assert "connected to old 7, revision 2025-11-25 (legacy)\n" in result.stderr
    assert "I am initialize\n" in result.stderr
    assert "I am" not in run("client", "list", *BEHIND).stderr


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("tcp://127.0.0.1:9000", AtSocket("127.0.0.1", 9000, "newline")),
        ("tcp://[::1]:9000?framing=length", AtSocket("::1", 9000, "length")),
        ("unix:/run/mcp.sock", AtSocket("/run/mcp.sock", None, "newline")),
        ("unix:///run/mcp.sock", AtSocket("/run/mcp.sock", None, "newline")),
    ],
)
async def test_sockets(target: str, where: AtSocket) -> None:
    aside = Aside()
    assert make_client(Way(target=target), Person(aside), aside).where == where


async def test_a_websocket_has_headers_and_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    aside = Aside()
    way = Way(target="wss://example.org/mcp/ws", headers=("X-Team: red",), token_env="TOKEN")
    where = make_client(way, Person(aside), aside).where
    assert isinstance(where, AtWebSocket)
    assert where.headers == {"X-Team": "red", "Authorization": "Bearer abc"}


def test_a_server_of_a_node_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLMCP__CONTROL__DIRECTORY", str(tmp_path))
    node = Node(tmp_path, "--server", SIMPLE, "--server", EVERYTHING)
    try:
        assert client(f"simple@{node.name}", "call", "echo", "text=a") == "a\n"
        assert client(f"@{node.name}", "call", "echo", "text=b") == "b\n"
        assert as_json("inspect", f"everything@{node.name}")["server"]["name"] == "everything"
        unknown = run("client", f"sample@{node.name}", "list")
        assert (unknown.exit_code, unknown.stderr.count("\n")) == (2, 1)
        assert "has no server 'sample'; there are" in unknown.stderr
        nobody = run("client", "simple@nobody", "list")
        assert (nobody.exit_code, nobody.stderr.count("\n")) == (2, 1)
        assert "nobody" in nobody.stderr
    finally:
        assert node.stop() == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["tcp://127.0.0.1", "list"], "write tcp://HOST:PORT"),
        (["tcp://127.0.0.1:x", "list"], "Port could not be cast"),
        (["tcp://h:1?framing=dots", "list"], "framing=newline or framing=length"),
        (["unix:", "list"], "write unix:/PATH"),
        (["http:///mcp", "list"], "names no host"),
        (["--era", "modern", "list"], "No such option"),
        ([SIMPLE, "list", "--token-env", "NO_SUCH_TOKEN"], "the variable holds no token"),
        ([SIMPLE, "list", "--auth"], "--auth belongs to a URL"),
        ([SIMPLE, "list", "spoons"], "'spoons' is not one of"),
        ([SIMPLE, "dance"], "'dance' is none"),
        ([SIMPLE], "there is none"),
        (["--", "cat"], "stands behind the command"),
        (["list", "--"], "after -- comes a program"),
        (["list", "--", "no-such-program-here"], "was not found on the node: PATH is /"),
        ([SIMPLE, "list", "--root", "/no/such/place"], "does not exist"),
        ([SIMPLE, "tasks", "dance"], "'dance' is none"),
    ],
)
def test_what_is_wrong_with_the_command_line(words: list[str], problem: str) -> None:
    result = run("client", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_help_is_there_for_whoever_has_named_the_server_already() -> None:
    shown = client("--help")
    assert "tcp://HOST:PORT" in shown
    assert client(SIMPLE, "--help") == shown
    assert "KEY=VALUE" in client(SIMPLE, "call", "--help")


# --- what goes on without this program ------------------------------------------------------------

SLOW = """
import trio
from erlmcp_py.server import Context, Server

server = Server("slow", version="1")
opened = False

@server.tool(task="optional")
async def wait(ctx: Context, text: str) -> str:
    ctx.status("waiting")
    while not opened:
        await trio.sleep(0.01)
    return text

@server.tool()
def open() -> None:
    global opened
    opened = True
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "slow.py").write_text(SLOW)
    path = os.pathsep.join((schema_gate.PYTHONPATH, str(tmp_path)))
    monkeypatch.setattr(schema_gate, "PYTHONPATH", path)
    node = Node(tmp_path, "--server", "slow:server")
    yield node.url("slow")
    assert node.stop() == 0


def test_tasks(slow: str) -> None:
    spoken = ("--era", "modern")
    id = client(slow, "tasks", "start", "wait", "text=tea", *spoken).strip()
    assert as_json("client", slow, "tasks", "start", "wait", "text=x", *spoken)["task"] != id
    assert client(slow, "tasks", "get", id, *spoken).startswith("working: waiting\nsince ")
    assert as_json("client", slow, "tasks", "get", id, *spoken)["status"] == "working"
    other = client(slow, "tasks", "start", "wait", "text=cake", *spoken).strip()
    assert "asked for the end" in client(slow, "tasks", "cancel", other, *spoken)
    assert client(slow, "tasks", "get", other, *spoken).startswith("cancelled")
    client(slow, "call", "open", *spoken)
    assert client(slow, "tasks", "resume", id, *spoken) == "tea\n"
    assert run("client", slow, "tasks", "resume", other, *spoken).exit_code == 2
    unknown = run("client", slow, "tasks", "get", "nothing", *spoken)
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (2, 1)
    assert client(slow, "tasks", "start", "open", *spoken) == ""  # is no task, and done at once


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_changes_are_printed_as_they_come(tmp_path: Path, era: str) -> None:
    node = Node(tmp_path, "--server", EVERYTHING)
    url = node.url("everything")
    words = [url, "subscribe", "everything://counter", "--tools", "--count", "3", "--era", era]
    lines: list[str] = []
    try:
        with trio.fail_after(60):
            async with Client(url) as caller, trio.open_nursery() as nursery:

                async def watch() -> None:
                    done = await trio.run_process(
                        [*COMMAND, "client", *words, "--json"], capture_stdout=True, cwd=ROOT
                    )
                    lines.extend(done.stdout.decode().splitlines())
                    nursery.cancel_scope.cancel()

                nursery.start_soon(watch)
                while True:  # nobody knows when it listens
                    await caller.call_tool("count")
                    await caller.call_tool("grow")
                    await trio.sleep(0.05)
    finally:
        assert node.stop() == 0
    found = [json.loads(line) for line in lines]
    assert len(found) == 3
    assert {"kind": "tools"} in found
    assert {"kind": "resource", "uri": "everything://counter"} in found


def test_a_server_that_tells_of_nothing() -> None:
    result = run("client", "subscribe", "--prompts", "--era", "modern", *BEHIND)
    assert result.exit_code == 2
