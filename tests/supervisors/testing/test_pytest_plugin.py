"""The fixtures, in a pytest run of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

TESTS = """
import supervisors

def test_passes(otp_run):
    async def body():
        return supervisors.self()
    assert otp_run(body).node == "node"

def test_fails(otp_run, otp_seed):
    async def body():
        raise ValueError(f"the seed was {otp_seed}")
    otp_run(body)
"""


def run_pytest(folder: Path, *args: str) -> str:
    (folder / "test_inner.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "supervisors.testing.pytest_plugin"]
    options = ["-p", "no:cacheprovider", "-o", "addopts=", f"--rootdir={folder}"]
    result = subprocess.run(
        [*command, *options, *args, str(folder / "test_inner.py")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return result.stdout + result.stderr


def test_a_failing_test_shows_the_seed_it_was_given(tmp_path: Path) -> None:
    shown = run_pytest(tmp_path, "--otp-seed", "12345")
    assert "1 failed, 1 passed" in shown
    assert "the seed was 12345" in shown
    assert "to repeat: pytest --otp-seed 12345" in shown


def test_every_test_gets_a_seed_of_its_own(tmp_path: Path) -> None:
    shown = [run_pytest(tmp_path) for _ in range(2)]
    seeds = {line for text in shown for line in text.splitlines() if "to repeat: pytest" in line}
    assert len(seeds) == 2
