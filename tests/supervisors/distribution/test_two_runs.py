"""A node that was started again repeats its numbers; nothing of the earlier run is taken for its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import supervisors

ROOT = Path(supervisors.__file__).parents[1]


def started(*arguments: str) -> str:
    script = Path(__file__).with_name("two_runs.py")
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_of_an_earlier_run_reaches_this_one() -> None:
    started(started())
