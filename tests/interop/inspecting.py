"""The Inspector's command line: one program per request, as people try servers out."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.conformance import node as nodejs

from .conftest import ROOT


@dataclass
class Inspector:
    """Runs the command line. target: how it reaches the server."""

    target: list[str]
    env: dict[str, str]

    def run(self, method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        launcher = nodejs.package("@modelcontextprotocol/inspector")
        program = launcher / "clients" / "launcher" / "build" / "index.js"
        return subprocess.run(
            [
                *(str(nodejs.node()), str(program), "--cli", *self.target),
                *("-q", "--format", "json", "--method", method, *arguments),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.env,
            timeout=60,
            check=False,
        )

    def result(self, method: str, *arguments: str) -> Any:
        run = self.run(method, *arguments)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)["result"]
