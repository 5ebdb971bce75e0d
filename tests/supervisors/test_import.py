"""`import supervisors` needs trio and nothing else, and takes of itself what is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import supervisors

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


LEAN = """
import sys
import supervisors
assert not hasattr(supervisors, "no_such_name")
before = {name for name in sys.modules if name.startswith("supervisors")}
from supervisors import Pid
print(*sorted(before))
"""


def test_what_is_not_used_is_not_imported() -> None:
    result = subprocess.run(
        [sys.executable, "-c", LEAN], capture_output=True, text=True, check=True, cwd="."
    )
    assert result.stdout.split() == ["supervisors"]


def test_every_name_comes_from_where_type_checkers_are_told() -> None:
    tree = ast.parse(Path(supervisors.__file__).read_text("utf-8"))
    told = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert {*supervisors.__all__, "sys"} == set(told)
    for name, module in told.items():
        found = getattr(supervisors, name)
        if module is None:
            assert found is import_module(f"supervisors.{name}")
        else:
            assert found is getattr(import_module(f"supervisors.{module}"), name)
    assert supervisors.exit is supervisors.exit_signal
    assert set(told) <= set(dir(supervisors))
