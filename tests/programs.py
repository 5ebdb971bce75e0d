"""`erlmcp-node` as a process of its own, for tests that meet it as its users do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests import schema_gate

PATIENCE = 30.0
"""Seconds for what takes a fraction of one on a machine that has nothing else to do."""


class Program:
    """One `erlmcp-node`, started with these words and variables; what it says on standard error is in a
    file of `directory`, its control socket below it. port, tcp: where it listens, once it is `up`.
    """

    def __init__(self, directory: Path, *words: str, **env: str) -> None:
        self.control = directory / "control"
        self._errors = (directory / f"stderr-{os.urandom(4).hex()}").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "erlmcp_py", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=directory,
            env=os.environ
            | {
                "ERLMCP__CONTROL__DIRECTORY": str(self.control),
                "PYTHONPATH": schema_gate.PYTHONPATH,
            }
            | env,
        )
        self.pid = self.process.pid
        self.said: list[str] = []
        self.port = self.tcp = 0

    def until(self, pattern: str) -> re.Match[str]:
        """Read its standard output up to such a line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern} never came; it said {self.log}")

    def up(self) -> None:
        """Read the banner."""
        self.until("^attach: ")
        for line in self.said:
            if found := re.search(r"127\.0\.0\.1:(\d+)/health", line):
                self.port = int(found[1])
            if found := re.search(r"127\.0\.0\.1:(\d+) .* over TCP", line):
                self.tcp = int(found[1])

    def says(self, pattern: str) -> None:
        """Wait for a line in its log."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.log):
            assert time.monotonic() < end and self.process.poll() is None, self.log
            time.sleep(0.01)

    @property
    def log(self) -> str:
        """Its standard error so far."""
        return Path(self._errors.name).read_text()

    def finish(self, input: str | None = None, timeout: float = 60) -> tuple[int, str, str]:
        """Wait for its end: its code, the rest of its output, its whole log. input: its last."""
        out = self.process.communicate(input, timeout=timeout)[0]
        return self.process.returncode, out, self.log

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                pass
