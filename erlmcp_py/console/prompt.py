"""The prompt of the attached shell: history, completion, and the end of the node.

A prompt waits for a key, not for a socket, so a second connection does nothing but wait
for the node's end, and takes the prompt down when it comes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import ThreadedCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from erlmcp_py.console.client import Client, NodeGone
from erlmcp_py.console.completion import ShellCompleter
from erlmcp_py.console.shell import OWN, Quit, Shell


def run_prompt(shell: Shell, watch: Client, targets: Callable[[], Mapping[str, list[str]]]) -> int:
    """Prompt until the operator leaves (0) or the node does (raises `NodeGone`).

    watch: a connection nobody else uses; its end is the node's end.
    """
    shell.learn()
    session: PromptSession[str] = PromptSession(
        history=_history(),
        completer=ThreadedCompleter(ShellCompleter(shell.known, targets, tuple(OWN))),
        complete_while_typing=False,
    )
    gone = threading.Event()

    def leave() -> None:
        if session.app.is_running and not session.app.is_done:
            session.app.exit(exception=NodeGone(f"node {shell.name!r} has gone"))

    def wait_for_the_end() -> None:
        watch.wait_until_closed()
        gone.set()
        loop = session.app.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the prompt ended in this very moment
                loop.call_soon_threadsafe(leave)

    threading.Thread(target=wait_for_the_end, name="node watch", daemon=True).start()
    while True:
        try:
            line = session.prompt(
                f"{shell.name}> ", pre_run=lambda: leave() if gone.is_set() else None
            )
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        try:
            shell.do(line)
        except Quit:
            return 0


def history_file() -> Path:
    """Where typed lines are kept: ``$XDG_STATE_HOME/erlmcp/history``."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "erlmcp" / "history"


def _history() -> History:
    """The history file, readable by its owner only; without one lines are kept for this run."""
    file = history_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=True)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))
