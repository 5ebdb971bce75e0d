"""``python -m tests.conformance [LEG…]``: run legs of the official suite and judge them.

Exit code 0 if every leg passes the gate, 1 if one does not, 2 for usage. The results stay in
`.venv/conformance/LEG`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import gate, node
from .old import grown_old

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".venv" / "conformance"
NODE = [sys.executable, "-m", "erlmcp_py", "run"]
FIXTURE = ["--server", "tests.conformance.server:server"]
CLIENT = f"{sys.executable} -m tests.conformance.client"
PATIENCE = 90_000
"""Milliseconds for a client: forty are started at once, on whatever machine."""

SUITES = {
    "2025-11-25": ("--requirements", "2025-11-25"),
    "2026-07-28": ("--requirements", "2026-07-28"),
    "all": ("--suite", "all"),
}
UPSTREAMS = ("stdio", "http", "old")
"""The fixture behind a gateway: a program, a node with an address, one that knows older revisions only.

That one has an address as well. Over stdio the older revisions do not say which request a question belongs
to, and the suite leaves calls behind that wait for an answer: whom the next question is for, nobody knows.
"""
LEGS = {
    **{f"server-{name}": suite for name, suite in SUITES.items()},
    **{
        f"gateway-{upstream}-{revision}": SUITES[revision]
        for upstream in UPSTREAMS
        for revision in (SUITES if upstream == "stdio" else ("2025-11-25", "2026-07-28"))
    },
    **{f"client-{name}": suite for name, suite in SUITES.items()},
}


@contextmanager
def running_node(name: str, *options: str) -> Iterator[str]:
    """A node in a program of its own; its address, with localhost as the suite demands."""
    log = RESULTS / f"{name}.log"
    with tempfile.TemporaryDirectory() as control, log.open("w") as errors:
        process = subprocess.Popen(
            [*NODE, "--name", name, "--http", "127.0.0.1:0", *options],
            cwd=ROOT,
            env=node.environment()
            | {
                "ERLMCP__CONTROL__DIRECTORY": control,
                # One scenario counts a check only for streams, which are ours to choose.
                "ERLMCP__HTTP__RESUMABLE_ANSWERS": "true",
            },
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        try:
            banner = ""
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", banner)):
                line = process.stdout.readline()
                if not line:
                    raise SystemExit(f"the node {name} did not start; see {log}")
                banner += line
            yield f"http://localhost:{found[1]}"
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


@contextmanager
def running_gateway(fixture: str) -> Iterator[str]:
    """A node with the fixture as each of `UPSTREAMS`; its address. fixture: where a node serves it."""
    command, *arguments = [*NODE, "--stdio", *FIXTURE]
    quiet = {"ERLMCP__CONTROL__ENABLED": "false"}
    with ExitStack() as parts:
        another = parts.enter_context(running_node("conformance-old", *FIXTURE))
        servers = {
            "stdio": {"command": command, "args": arguments, "env": quiet},
            "http": {"url": f"{fixture}/mcp"},
            "old": {"url": parts.enter_context(grown_old(f"{another}/mcp"))},
        }
        file = parts.enter_context(tempfile.NamedTemporaryFile("w"))
        json.dump({"mcpServers": servers}, file)
        file.flush()
        yield parts.enter_context(running_node("gateway", "--mcp-json", file.name))


def run_leg(leg: str, suite: Path, url: str | None) -> tuple[str, list[str]]:
    """Run one leg; what it came to, and its problems. suite: the program. url: of the server under test,
    None where a client is.
    """
    directory = RESULTS / leg
    shutil.rmtree(directory, ignore_errors=True)
    side = gate.side_of(leg)
    tested = ("--command", CLIENT, "--timeout", f"{PATIENCE}") if url is None else ("--url", url)
    with (RESULTS / f"{leg}.txt").open("w") as output:
        subprocess.run(
            [str(node.node()), str(suite), side, *tested, *LEGS[leg], "-o", str(directory)],
            cwd=RESULTS,
            env=node.environment() | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
    found = gate.read_results(directory, side)
    floors = gate.read_floors(leg)
    lines = gate.problems(found, floors)
    passed = sum(not found[name].bad for name in found)
    checks = sum(scenario.rows for scenario in found.values())
    return f"{leg}: {passed} of {len(found)} scenarios clean, {checks} checks succeeded", lines


def main(arguments: Sequence[str]) -> int:
    """The command."""
    legs = list(arguments) or list(LEGS)
    unknown = [leg for leg in legs if leg not in LEGS]
    if unknown:
        print(f"no such leg: {unknown[0]}; there are {', '.join(LEGS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    suite = node.package("@modelcontextprotocol/conformance") / "dist" / "index.js"
    with ExitStack() as nodes:
        fixture = gateway = ""
        if any(gate.side_of(leg) == "server" for leg in legs):
            fixture = nodes.enter_context(running_node("conformance", *FIXTURE))
        if any(leg.startswith("gateway") for leg in legs):
            gateway = nodes.enter_context(running_gateway(fixture))

        def play(chosen: Sequence[str]) -> bool:
            """Run these one after another; whether all pass."""
            passed = True
            for leg in chosen:
                kind, _, rest = leg.partition("-")
                url = {
                    "server": f"{fixture}/mcp",
                    "gateway": f"{gateway}/mcp/{rest.partition('-')[0]}",
                    "client": None,
                }[kind]
                headline, lines = run_leg(leg, suite, url)
                print("\n  ".join([headline, *lines]), flush=True)
                passed = passed and not lines
            return passed

        # The suite waits long for tasks that the old one does not have; meanwhile the others are played.
        old = [leg for leg in legs if leg.startswith("gateway-old")]
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(play, old)
            passed = play([leg for leg in legs if leg not in old])
            return int(not (waiting.result() and passed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
