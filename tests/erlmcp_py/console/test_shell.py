"""The attached shell: line by line, and through a pseudo-terminal, as a program of its own."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from erlmcp_py.console import render
from erlmcp_py.console.completion import NodeTargets, ShellCompleter
from erlmcp_py.console.place import DIRECTORY_VARIABLE
from erlmcp_py.console.shell import Shell, run_lines
from supervisors import is_alive, terminate_child, whereis

PROGRAM = [sys.executable, "-c", "from erlmcp_py.cli import main; main()", "attach", "--name"]
ROOT = Path(__file__).parents[3]


async def script(node: Any, *lines: str, as_json: bool = False) -> tuple[int, str]:
    """Exit code and output of the shell fed with `lines`."""

    def run() -> tuple[int, str]:
        out = io.StringIO()
        shell = Shell(lambda session: node.connect(session), render.screen(out), as_json=as_json)
        try:
            return run_lines(shell, lines), out.getvalue()
        finally:
            shell.close()

    return await trio.to_thread.run_sync(run)


async def test_lines_are_done_one_by_one(node: Any) -> None:
    status, output = await script(
        node, "ping", "", "# a remark", "suspend registry", "info registry", "resume registry"
    )
    assert status == 0
    assert "pong from demo" in output
    assert f"{whereis('registry')} is suspended" in output
    assert f"{whereis('registry')} is running" in output


async def test_the_first_failure_ends_a_script(
    node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output = await script(node, "info nobody", "ping")
    assert (status, output) == (1, "")
    assert (
        capsys.readouterr().err
        == "erlmcp-node: no process is called 'nobody'; did you mean 'node'?\n"
    )


async def test_a_failure_in_a_script_of_json_is_json(
    node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output = await script(node, "pnig", as_json=True)
    text = "there is no command 'pnig'; did you mean 'ping'?"
    assert msgspec.json.decode(output) == {"error": {"code": "bad_line", "message": text}}
    assert (status, capsys.readouterr().err) == (1, f"erlmcp-node: {text}\n")


async def test_quit_ends_it_well(node: Any) -> None:
    assert await script(node, "quit", "info nobody") == (0, "")


async def test_kill_and_see_it_come_back(node: Any) -> None:
    before = whereis("registry")
    status, output = await script(node, "kill registry", "tree core")
    assert status == 0
    assert f"{before} ended: killed" in output
    assert not is_alive(before)
    assert whereis("registry") is not None


async def test_help_knows_every_command_and_its_arguments(node: Any) -> None:
    status, output = await script(node, "help", "help trace")
    assert status == 0
    for word in ("tree [TARGET] [LIMIT]", "kill TARGET [REASON]", "quit", "trace", "resume"):
        assert word in output
    assert "end after so many" in output


async def test_streams_in_a_script(node: Any) -> None:
    status, output = await script(node, "trace registry --seconds 0.1", "top --limit 2")
    assert status == 0
    assert "0 events: time is up" in output
    assert "2 of" in output


async def test_json_is_json(node: Any) -> None:
    _, output = await script(node, "ping", as_json=True)
    assert msgspec.json.decode(output)["pong"] == "demo"


async def test_stop_ends_the_shell_when_the_node_is_gone(node: Any) -> None:
    async def close_console() -> None:
        await node.stopped.wait()
        await terminate_child("node", "console")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close_console)
        status, output = await script(node, "stop", "ping")
    assert status == 0
    assert "node demo is stopping" in output


async def complete(node: Any, text: str) -> list[str]:
    def run() -> list[str]:
        shell = Shell(lambda session: node.connect(session), render.screen(io.StringIO()))
        shell.learn()
        completer = ShellCompleter(shell.known, NodeTargets(node.connect), ("help", "quit"))
        found = completer.get_completions(Document(text), CompleteEvent())
        words = [completion.text for completion in found]
        shell.close()
        return words

    return await trio.to_thread.run_sync(run)


async def test_completion(node: Any) -> None:
    assert await complete(node, "su") == ["suspend"]
    assert await complete(node, "q") == ["quit"]
    assert await complete(node, "info regi") == ["registry"]
    assert await complete(node, "info core/s") == ["core/second"]
    assert str(whereis("registry")) in await complete(node, "info <")
    assert await complete(node, "ps --sort m") == ["mailbox", "messages", "memory"]
    assert await complete(node, "ps --l") == ["--limit"]
    assert sorted(await complete(node, "help tr")) == ["trace", "tree"]
    assert await complete(node, "ping ") == []


class Terminal:
    """A program on a pseudo-terminal; `read` waits for a pattern in its plain text."""

    def __init__(self, node: Any, tmp_path: Path) -> None:
        main, secondary = pty.openpty()
        env = os.environ | {
            DIRECTORY_VARIABLE: str(node.directory),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "TERM": "xterm",
            "COLUMNS": "120",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        self.process = subprocess.Popen(
            [*PROGRAM, "demo"],
            stdin=secondary,
            stdout=secondary,
            stderr=secondary,
            env=env,
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(secondary)
        self.main = main
        self.text = ""

    async def read(self, pattern: str) -> str:
        return await trio.to_thread.run_sync(self._read, pattern)

    def _read(self, pattern: str) -> str:
        deadline = time.monotonic() + 20
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.main], [], [], deadline - time.monotonic())
            if not ready:
                raise AssertionError(f"{pattern!r} did not appear in {self.text!r}")
            try:
                more = os.read(self.main, 65536)
            except OSError:  # Linux reports a terminal without a program that way
                more = b""
            if not more:
                raise AssertionError(f"ended without {pattern!r}: {self.text!r}")
            self.text += plain(more.decode("utf-8", "replace"))
        seen, self.text = self.text[: found.end()], self.text[found.end() :]
        return seen

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    async def enter(self, line: str, expect: str) -> None:
        """Type a line at the prompt, wait for `expect` and for the next prompt.

        Keys typed before the prompt is there are thrown away with the terminal's mode.
        """
        self.type(f"{line}\r")
        await self.read(expect)
        await self.read("demo>")

    async def ends(self) -> int:
        """Its exit code, its last words in `text`."""
        return await trio.to_thread.run_sync(self._ends)

    def _ends(self) -> int:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if select.select([self.main], [], [], 0.05)[0]:
                try:
                    self.text += plain(os.read(self.main, 65536).decode("utf-8", "replace"))
                except OSError:  # Linux reports a terminal without a program that way
                    break
            elif self.process.poll() is not None:
                break
        return self.process.wait(5)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.main)


def plain(text: str) -> str:
    """`text` without the sequences that steer a terminal."""
    return re.sub(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_=>])|\r", "", text)


@pytest.fixture
def terminal(node: Any, tmp_path: Path) -> Any:
    opened = Terminal(node, tmp_path)
    yield opened
    opened.close()


async def test_an_operator_at_a_terminal(node: Any, terminal: Terminal, tmp_path: Path) -> None:
    before = whereis("registry")
    await terminal.read("demo>")
    await terminal.enter("kill core/registry", f"{before} ended: killed")
    await terminal.enter("tree core", "registry +running .* 1 ")
    terminal.type("inf\t")
    await terminal.read("info")
    await terminal.enter(" core/registry", "monitored by")
    await terminal.enter("fly", "error: there is no command 'fly'")
    terminal.type("quit\r")
    assert await terminal.ends() == 0
    history = tmp_path / "state" / "erlmcp" / "history"
    assert "kill core/registry" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


async def test_ctrl_c_ends_a_trace_and_not_the_shell(node: Any, terminal: Terminal) -> None:
    await terminal.read("demo>")
    terminal.type("trace registry --seconds 60\r")
    await node.until(lambda: len(node.console.traces) == 1)
    os.killpg(terminal.process.pid, signal.SIGINT)
    await terminal.read("interrupted")
    await node.until(lambda: len(node.console.traces) == 0)
    await terminal.read("demo>")
    await terminal.enter("ping", "pong from demo")
    terminal.type("\x04")
    assert await terminal.ends() == 0


async def test_top_is_live_and_ends_with_ctrl_c(node: Any, terminal: Terminal) -> None:
    await terminal.read("demo>")
    terminal.type("top --interval 0.1\r")
    await terminal.read("messages since they started")
    await terminal.read("messages in the last")
    os.killpg(terminal.process.pid, signal.SIGINT)
    await terminal.read("demo>")
    terminal.type("quit\r")
    assert await terminal.ends() == 0


async def test_the_shell_ends_when_the_node_does(node: Any, terminal: Terminal) -> None:
    await terminal.read("demo>")
    await node.until(lambda: len(node.console.peers) == 2)
    await terminate_child("node", "console")
    assert await terminal.ends() == 1
    assert "erlmcp-node: node 'demo' has gone" in terminal.text
