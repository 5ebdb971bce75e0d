"""``python -m tests.conformance [LEG…]``: run legs of the official suite and judge them.

Exit code 0 if every leg passes the gate, 1 if one does not, 2 for usage. The results stay in
`.venv/conformance/LEG`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import gate, node

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".venv" / "conformance"
FIXTURE = "tests.conformance.server:server"

LEGS = {
    "server-2025-11-25": ("--requirements", "2025-11-25"),
    "server-2026-07-28": ("--requirements", "2026-07-28"),
    "server-all": ("--suite", "all"),
}


@contextmanager
def fixture_node() -> Iterator[str]:
    """The fixture server in a node of its own; its URL, on localhost as the suite demands."""
    with tempfile.TemporaryDirectory() as control:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "erlmcp_py", "run", "--name", "conformance"),
                *("--server", FIXTURE, "--http", "127.0.0.1:0"),
            ],
            cwd=ROOT,
            env=node.environment()
            | {
                "ERLMCP__CONTROL__DIRECTORY": control,
                # One scenario counts a check only for streams, which are ours to choose.
                "ERLMCP__HTTP__RESUMABLE_ANSWERS": "true",
            },
            stdout=subprocess.PIPE,
            stderr=(RESULTS / "node.log").open("w"),
            text=True,
        )
        assert process.stdout is not None
        try:
            banner = ""
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", banner)):
                line = process.stdout.readline()
                if not line:
                    raise SystemExit(f"the fixture did not start; see {RESULTS / 'node.log'}")
                banner += line
            yield f"http://localhost:{found[1]}/mcp"
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


def run_leg(leg: str, url: str) -> list[str]:
    """Run one leg; its problems."""
    directory = RESULTS / leg
    shutil.rmtree(directory, ignore_errors=True)
    suite = node.package("@modelcontextprotocol/conformance") / "dist" / "index.js"
    with (RESULTS / f"{leg}.txt").open("w") as output:
        subprocess.run(
            [
                str(node.node()),
                str(suite),
                "server",
                "--url",
                url,
                *LEGS[leg],
                "-o",
                str(directory),
            ],
            cwd=RESULTS,
            env=node.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
    found = gate.read_results(directory, "server")
    floors = gate.read_floors(leg)
    lines = gate.problems(found, floors)
    passed = sum(not found[name].bad for name in found)
    checks = sum(scenario.rows for scenario in found.values())
    print(f"{leg}: {passed} of {len(found)} scenarios clean, {checks} checks succeeded")
    return lines


def main(arguments: Sequence[str]) -> int:
    """The command."""
    legs = list(arguments) or list(LEGS)
    unknown = [leg for leg in legs if leg not in LEGS]
    if unknown:
        print(f"no such leg: {unknown[0]}; there are {', '.join(LEGS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = False
    with fixture_node() as url:
        for leg in legs:
            for line in run_leg(leg, url):
                failed = True
                print(f"  {line}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
