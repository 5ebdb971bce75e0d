"""Run one measuring process and read the one JSON line it prints."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class WorkerError(Exception):
    """A measuring process failed; the message holds the end of what it said."""


def environment() -> dict[str, str]:
    """The environment of every child: the repository importable, and its bytecode kept, as that of an
    installed package is; nothing else changed.
    """
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


def measure(
    command: list[str], timeout: float = 120.0, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What `command` prints, decoded. timeout: seconds. env: instead of `environment()`.

    Raises WorkerError.
    """
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment() if env is None else env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"`{shown}` took longer than {timeout:.0f} s") from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-6:])
        raise WorkerError(f"`{shown}` ended with code {done.returncode}:\n{tail}")
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise WorkerError(f"`{shown}` printed no JSON: {done.stdout[:300]!r}") from error
    return result
