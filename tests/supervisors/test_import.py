"""`import supervisors` needs trio and nothing else."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import trio
before = set(sys.modules)
import supervisors
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - set(sys.stdlib_module_names) - {"supervisors"}))
"""


def test_nothing_is_imported_that_trio_has_not_imported_itself() -> None:
    result = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd="."
    )
    assert result.stdout.split() == []
