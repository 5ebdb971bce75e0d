"""`erlmcp-node client` as a program: at a terminal, interrupted, and at the door of an authority."""

from __future__ import annotations

import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

from tests.erlmcp_py.auth.client.authority import authority
from tests.interop.conftest import COMMAND, ROOT

# A program that notes what it hears, and never answers a call of `hang`; `ask` asks its user.
SERVER = """
import json, sys
notes = open(sys.argv[1], "a", buffering=1)
def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    method = asked.get("method", "answer")
    notes.write(method + " " + asked.get("params", {}).get("name", "") + "\\n")
    if method == "initialize":
        say(id=asked["id"], result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "p", "version": "1"}})
    elif method == "tools/list":
        say(id=asked["id"], result={"tools": [{"name": name, "inputSchema": {"type": "object"}}
            for name in ("hang", "ask", "steps")]})
    elif method == "tools/call" and asked["params"]["name"] == "ask":
        say(id="q", method="elicitation/create", params={"message": "Who?", "requestedSchema":
            {"type": "object", "properties": {"name": {"type": "string"}}}})
    elif method == "tools/call" and asked["params"]["name"] == "steps":
        token = asked["params"]["_meta"]["progressToken"]
        for number in (1, 2):
            say(method="notifications/progress", params={"progressToken": token,
                "progress": number, "total": 2, "message": f"step {number}"})
        say(id=asked["id"], result={"content": [{"type": "text", "text": "done"}]})
    elif "id" in asked and method != "answer" and method != "tools/call":
        say(id=asked["id"], error={"code": -32601, "message": "no"})
notes.write("the end\\n")
"""


def words(tool: str, notes: Path) -> list[str]:
    program = [sys.executable, "-c", SERVER, str(notes)]
    return [*COMMAND, "client", "call", tool, "--era", "legacy", "--", *program]


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """What a terminal shows, until `wanted` is there."""
    shown = b""
    while wanted not in shown:
        shown += os.read(descriptor, 4096)
    return shown


def until_heard(notes: Path, word: str, process: subprocess.Popen[Any]) -> None:
    while not (notes.exists() and word in notes.read_text()):
        assert process.poll() is None
        time.sleep(0.01)


def test_ctrl_c_cancels_the_call_at_the_server(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    process = subprocess.Popen(
        words("hang", notes), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until_heard(notes, "tools/call hang", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "erlmcp-node: interrupted\n")
    assert notes.read_text().splitlines()[-2:] == ["notifications/cancelled ", "the end"]


def test_ctrl_c_while_something_is_asked(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    person, tool = pty.openpty()
    try:
        process = subprocess.Popen(
            words("ask", notes), cwd=ROOT, stdin=tool, stdout=tool, stderr=tool,
            start_new_session=True,
        )  # fmt: skip
        shown = read_until(person, b"Answer? [Y/n]: ")
        assert b"Who?" in shown
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    finally:
        os.close(person)
        os.close(tool)
    assert "notifications/cancelled" in notes.read_text()


def at_a_terminal(tool: str, notes: Path, typed: bytes = b"") -> tuple[int, str, str]:
    """Exit code, standard output, and what the terminal has shown."""
    person, screen = pty.openpty()
    shown = b""
    try:
        os.write(person, typed)
        with subprocess.Popen(
            words(tool, notes), cwd=ROOT, stdin=screen, stdout=subprocess.PIPE, stderr=screen,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        ) as process:  # fmt: skip
            os.close(screen)
            try:
                while data := os.read(person, 4096):
                    shown += data
            except OSError:
                pass  # nobody has the terminal open any more
            assert process.stdout is not None
            out = process.stdout.read().decode()
        return process.returncode, out, shown.decode()
    finally:
        os.close(person)


def test_progress_is_a_bar_at_a_terminal(tmp_path: Path) -> None:
    code, out, shown = at_a_terminal("steps", tmp_path / "notes")
    assert (code, out) == (0, "done\n")
    assert "2 of 2: step 2" in shown
    assert "━" in shown
    assert "progress 1 of 2" not in shown, "that is for those who have no terminal"


def test_at_the_end_of_what_is_typed_a_question_is_closed(tmp_path: Path) -> None:
    """Ctrl-D; the program waits for ever, but not for an answer."""
    notes = tmp_path / "notes"
    person, screen = pty.openpty()
    try:
        process = subprocess.Popen(
            words("ask", notes), cwd=ROOT, stdin=screen, stdout=screen, stderr=screen
        )
        read_until(person, b"Answer? [Y/n]: ")
        os.write(person, b"\x04")
        until_heard(notes, "answer", process)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    finally:
        os.close(person)
        os.close(screen)


async def browse(url: str) -> None:
    """A browser with a user who agrees."""
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        assert (await browser.get(url)).status_code == 200


@pytest.mark.filterwarnings("ignore:Async generator 'httpx2:ResourceWarning")
async def test_a_person_is_sent_to_a_page_once(tmp_path: Path) -> None:
    env = os.environ | {"XDG_STATE_HOME": str(tmp_path)}

    async def info(there: Any, *, pages: int) -> None:
        command = [*COMMAND, "client", there.resource, "info", "--auth", "--era", "legacy"]
        seen: list[str] = []
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(
                    trio.run_process, command, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE, env=env, cwd=ROOT,
                )
            )  # fmt: skip
            text = ""
            async for data in process.stderr:
                text += data.decode()
                found = re.search(r"^(http\S+)\n", text, re.MULTILINE)
                if found and not seen:
                    seen.append(found[1])
                    nursery.start_soon(browse, found[1])
        assert len(seen) == pages, text

    with trio.fail_after(60):
        async with authority() as there:
            await info(there, pages=1)
            await info(there, pages=0)
            assert there.count("/authorize") == 1
    kept = list((tmp_path / "erlmcp" / "tokens").iterdir())
    assert kept
    assert {stat.S_IMODE(one.stat().st_mode) for one in kept} == {0o600}
