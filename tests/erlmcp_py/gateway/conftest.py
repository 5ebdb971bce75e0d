"""A node in a program of its own, to be an upstream over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.client.eras import eras
from erlmcp_py.client.http.address import read_address
from erlmcp_py.client.where import AtUrl
from erlmcp_py.config import UpstreamConfig
from tests import schema_gate

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def theirs() -> Iterator[str]:
    """Its address."""
    command = [sys.executable, "-m", "erlmcp_py", "run", "--name", "theirs-of-the-gateway"]
    command += ["--server", "tests.erlmcp_py.gateway.theirs:server", "--http", "127.0.0.1:0"]
    env = os.environ | {
        "ERLMCP__CONTROL__ENABLED": "false",
        "PYTHONPATH": schema_gate.PYTHONPATH,
    }
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        try:
            for line in node.stdout:
                found = re.search(r"(http://\S+/mcp)/theirs", line)
                if found:
                    yield found[1]
                    break
        finally:
            node.terminate()


@pytest.fixture
def upstream(theirs: str) -> Callable[[Any], UpstreamConfig]:
    """The server of somebody else, which will be spoken to in this era."""

    def of(era: Any) -> UpstreamConfig:
        eras.remember(AtUrl(read_address(theirs)).key, era)
        return UpstreamConfig(url=theirs)

    return of
