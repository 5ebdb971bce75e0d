"""How long a client waits for the next good answer when the program of an upstream is killed.

    python -m bench.mcp.recovery

A node with ten upstreams; to each a client calls without pause, and once its program is killed (kill -9).
Prints one JSON line: `ms`, milliseconds from each kill to the next good answer, without what the program
itself needs to start, which it measures: ten figures, in order.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import trio

from erlmcp_py.client import Client
from erlmcp_py.protocol.errors import McpError

from ..worker import ROOT, environment

UPSTREAMS = 10
PROGRAM = ROOT / "tests/upstreams/programs/pipes.py"
_PATIENCE = 20.0


def _configuration(directory: Path) -> Path:
    tables = []
    for n in range(UPSTREAMS):
        command = json.dumps(
            [sys.executable, "-IS", str(PROGRAM), f"u{n}", "modern", directory.name]
        )
        tables.append(f"[upstreams.u{n}]\ncommand = {command}\n")
    file = directory / "node.toml"
    file.write_text("\n".join(tables))
    return file


async def _who(client: Client) -> dict[str, Any]:
    result: Any = await client.call_tool("who")
    told: dict[str, Any] = json.loads(result.content[0].text)
    return told


async def _kill(url: str) -> float:
    """Seconds."""
    async with Client(url) as client:
        for _ in range(100):
            before = (await _who(client))["pid"]
        with trio.fail_after(_PATIENCE):
            began = trio.current_time()
            os.kill(before, signal.SIGKILL)
            while True:
                try:
                    told = await _who(client)
                except McpError:
                    continue  # what was under way ends so
                if told["pid"] != before:
                    return trio.current_time() - began - float(told["startup"])


async def _kill_all(url: str) -> list[float]:
    return [await _kill(f"{url}/mcp/u{n}") for n in range(UPSTREAMS)]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="erlmcp-bench-") as directory:
        file = _configuration(Path(directory))
        node = str(Path(sys.executable).with_name("erlmcp-node"))
        command = [node, "run", "--config", str(file), "--name", f"bench-{os.getpid()}"]
        with subprocess.Popen(
            [*command, "--http", "127.0.0.1:0"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                url = ""
                for line in process.stdout:
                    found = re.search(r"(http://\S+?)/mcp/", line)
                    url = found[1] if found else url
                    if "/health" in line:
                        break
                if not url:
                    raise RuntimeError("the node did not say where it is")
                seconds = trio.run(_kill_all, url)
            finally:
                process.terminate()
    print(json.dumps({"ms": sorted(one * 1e3 for one in seconds)}))


if __name__ == "__main__":
    main()
