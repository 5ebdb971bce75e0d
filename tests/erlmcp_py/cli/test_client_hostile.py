"""`erlmcp-node client` and servers that send what no terminal should get, and words nobody should type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.cli.client.arguments import kinds_of, read_arguments
from erlmcp_py.cli.client.drawing import type_text
from tests.interop.conftest import COMMAND, ROOT

from .calls import at_terminal, run

__all__ = ["at_terminal"]

EVIL = "\x1b]0;x\x07\x1b[31m\u009b31m\x7f"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

SERVER = r"""
import json, sys
EVIL = "\x1b]0;x\x07\x1b[31m\u009b31m\x7f"
def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
OBJECT = {"type": "object"}
FORMS = {"more": {"type": "object", "properties": {"a": {"type": "number"}}, "minProperties": 2},
         "number": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}}
ANSWERS = {
    "initialize": {"protocolVersion": "2025-11-25", "instructions": EVIL, "capabilities": {
        "tools": {}, "resources": {}, "prompts": {}, "experimental": {EVIL: {}}},
        "serverInfo": {"name": EVIL, "version": EVIL, "title": EVIL, "description": EVIL}},
    "tools/list": {"tools": [
        {"name": EVIL, "description": EVIL, "inputSchema": {"type": "object", "properties":
            {EVIL: {"type": "string", "default": EVIL}}}},
        *({"name": name, "inputSchema": OBJECT} for name in ("say", "fail", "refuse", "more", "number")),
        {"name": "odd", "inputSchema": {"type": "object", "properties": [], "required": 5}}]},
    "resources/list": {"resources": [
        {"uri": "x://" + EVIL, "name": EVIL, "mimeType": EVIL, "description": EVIL}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": EVIL, "name": EVIL}]},
    "prompts/list": {"prompts": [{"name": EVIL, "arguments": [{"name": EVIL}]}]},
    "prompts/get": {"messages": [{"role": "user", "content": {"type": "text", "text": EVIL}}]},
    "resources/read": {"contents": [
        {"uri": EVIL, "text": EVIL}, {"uri": EVIL, "blob": "!", "mimeType": EVIL}]},
    "completion/complete": {"completion": {"values": [EVIL], "hasMore": True}},
    "logging/setLevel": {},
}
for line in sys.stdin:
    asked = json.loads(line)
    method, id = asked.get("method"), asked.get("id")
    name = asked.get("params", {}).get("name")
    if method == "tools/call" and name in FORMS:
        say(id="q", method="elicitation/create",
            params={"message": EVIL, "requestedSchema": FORMS[name]})
        heard = json.loads(sys.stdin.readline())
        heard.pop("id")
        say(id=id, result={"content": [{"type": "text", "text": json.dumps(heard)}]})
    elif method == "tools/call" and name == "refuse":
        say(id=id, error={"code": -1, "message": EVIL, "data": EVIL})
    elif method == "tools/call":
        token = asked["params"]["_meta"]["progressToken"]
        for progress, total in ((1, 0), (10**400, 3), (-5, -7), (1, None)):
            say(method="notifications/progress", params={"progressToken": token,
                "progress": progress, "total": total, "message": EVIL + "\nnext"})
        for data in (EVIL, {EVIL: EVIL}):
            say(method="notifications/message", params={"level": "error", "data": data})
        say(id=id, result={"isError": name == "fail", "structuredContent": {EVIL: EVIL}, "content": [
            {"type": "text", "text": EVIL}, {"type": "image", "data": "a", "mimeType": EVIL},
            {"type": "resource_link", "uri": EVIL, "name": EVIL},
            {"type": "resource", "resource": {"uri": EVIL, "text": EVIL}}]})
    elif method in ANSWERS:
        say(id=id, result=ANSWERS[method])
    elif id is not None:
        say(id=id, error={"code": -32601, "message": EVIL})
    print(EVIL, file=sys.stderr, flush=True)
"""
BEHIND = ("--era", "legacy", "--", sys.executable, "-c", SERVER)

COMMANDS: list[tuple[list[str], int]] = [
    (["list"], 0),
    (["list", "-v"], 0),
    (["info"], 0),
    (["ping"], 2),
    (["call", "say"], 0),
    (["call", "fail"], 1),
    (["call", "refuse"], 2),
    (["call", "nothing"], 2),
    (["call", "odd", "a=1"], 0),
    (["read", "x://a"], 0),
    (["prompt", "p"], 0),
    (["complete", "p", "a"], 0),
    (["skills"], 2),
    (["tasks", "get", "t"], 2),
]


@pytest.mark.parametrize(("words", "code"), COMMANDS, ids=[" ".join(one[0]) for one in COMMANDS])
def test_nothing_of_a_server_reaches_the_terminal_raw(words: list[str], code: int) -> None:
    shown = run("client", *words, *BEHIND)
    assert shown.exit_code == code, shown.output
    assert not RAW.search(shown.stdout + shown.stderr)
    printed = run("client", *words, "--json", *BEHIND)
    assert printed.exit_code == code
    assert not RAW.search(printed.stdout + printed.stderr)
    found = json.loads(printed.stdout)
    assert ("error" in found) == (code == 2)
    if words == ["call", "say"]:
        assert found["structuredContent"] == {EVIL: EVIL}


@pytest.mark.parametrize(
    "words",
    [
        ["call", "say", "a=\udcff"],
        ["read", "x://\udcff"],
        ["prompt", "p", "a=\udcff"],
        ["complete", "p", "\udcff"],
        ["call", "say", "a:={"],
        ["call", "say", "a:=NaN"],
        ["call", "say", "a:=" + 2000 * "["],
        ["call", "say", "a"],
        ["call", "say", "a=1", "a=2"],
        ["call"],
        ["list", "--timeout", "nan"],
        ["list", "--timeout", "-1"],
        ["list", "spoons"],
        ["list", "--header", "A:b"],
    ],
    ids=lambda words: " ".join(words)[:20].encode("ascii", "replace").decode(),
)
def test_what_is_typed_wrong_is_one_error_also_in_json(words: list[str]) -> None:
    shown = run("client", *words, *BEHIND)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert 0 < len(shown.stderr) < 1000
    printed = run("client", *words, "--json", *BEHIND)
    assert printed.exit_code == 2
    assert set(json.loads(printed.stdout)["error"]) == {"code", "message"}


@pytest.mark.usefixtures("at_terminal")
def test_a_number_that_is_none_is_asked_again() -> None:
    result = run("client", "call", "number", *BEHIND, answers="y\nnan\ninf\n2.5\n")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["result"] == {"action": "accept", "content": {"a": 2.5}}


@pytest.mark.usefixtures("at_terminal")
def test_a_form_that_wants_more_than_its_fields_is_refused() -> None:
    result = run("client", "call", "more", *BEHIND, answers="y\n2.5\n")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["error"]["code"] == -32602


ODD: list[Any] = [
    {"properties": {"a": 5}},
    {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": []},
    {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": 5}},
    {"properties": {"a": {"type": [{}]}}},
    {"properties": {"a": {"type": 5}}},
    {"properties": {"a": {"enum": 5}}},
    {"properties": {"a": {"anyOf": 5}}},
    {"properties": {"a": {"type": "array", "items": 5}}},
    {"properties": {"a": True}},
]


@pytest.mark.parametrize("schema", ODD, ids=json.dumps)
def test_a_schema_that_is_none_says_nothing(schema: Any) -> None:
    part = schema["properties"]["a"]
    assert type_text(part, schema) in ("any", "list of any")
    if "array" not in kinds_of(part, schema):
        assert read_arguments(["a=1"], schema) == {"a": "1"}


def test_a_skills_file_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "skills" / "tea"
    home.mkdir(parents=True)
    (home / "SKILL.md").write_text("---\nname: tea\ndescription: Tea.\n---\nBoil.\n")
    (home / "pot.txt").write_text("A pot.")
    (home / "pot.png").write_bytes(b"\xff\x00")
    (tmp_path / "hostile_team.py").write_text(
        "from erlmcp_py.server import Server\n"
        "server = Server('team', version='1')\n"
        "server.skills('skills')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["client", "hostile_team:server", "skills", "skill://tea/SKILL.md"]
    for name, content in (("pot.txt", {"text": "A pot."}), ("pot.png", {"blob": "/wA="})):
        result = run(*words, f"skill://tea/{name}", "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (0, content)


def test_a_reader_that_goes_away() -> None:
    """As `| head` does; there is no stack to look at."""
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [*COMMAND, "client", "list", *BEHIND], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE
    ) as process:
        os.close(writing)
        _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    assert process.returncode == 1


def test_what_is_printed_line_by_line_ends_so_too() -> None:
    result = run("client", "subscribe", "x://a", "--json", *BEHIND)
    assert result.exit_code == 2
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["error"]["code"] == "refused"
    assert not RAW.search(line)
