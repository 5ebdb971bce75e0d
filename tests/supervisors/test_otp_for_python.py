"""docs/otp-for-python.md: every spelling in a column "here" is one that Python understands.

Each piece of code is parsed; what it calls or names by a dotted path must exist, and take
the arguments that it is given.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import trio

import supervisors
from supervisors import distribution, os_mon
from supervisors.distribution import global_

MAP = Path(__file__).parents[2] / "docs" / "otp-for-python.md"
CODE = re.compile(r"`([^`]+)`")


class Counter(supervisors.GenServer): ...


class Door(supervisors.GenStateMachine): ...


class Tally(supervisors.GenEvent): ...


class Top(supervisors.Supervisor): ...


class Shop(supervisors.Application): ...


NAMES: dict[str, Any] = {
    **vars(builtins),
    **{name: getattr(supervisors, name) for name in supervisors.__all__},
    "exit": supervisors.exit,
    "sys": supervisors.sys,
    **{c.__name__: c for c in (Counter, Door, Tally, Top, Shop)},
    "distribution": distribution,
    "global_": global_,
    "os_mon": os_mon,
    "trio": trio,
}


def rows() -> list[tuple[int, str]]:
    """Line number and text of every cell in a column called "here"."""
    found = []
    here: int | None = None
    for number, line in enumerate(MAP.read_text("utf-8").splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            here = None
        elif "here" in cells:
            here = cells.index("here")
        elif here is not None and not set(line) <= set("|- "):
            found.append((number, cells[here]))
    return found


def resolve(path: ast.expr) -> Any:
    """What a dotted path means; KeyError or AttributeError when it means nothing."""
    if isinstance(path, ast.Attribute):
        return getattr(resolve(path.value), path.attr)
    assert isinstance(path, ast.Name)
    return NAMES[path.id]


def takes(function: Any, call: ast.Call) -> None:
    """TypeError unless the function takes such arguments."""
    if inspect.getmodule(function) is builtins:
        return  # those have no signature
    keywords = {k.arg: None for k in call.keywords if k.arg is not None}
    signature = inspect.signature(function)
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        signature.bind_partial(**keywords)
    else:
        signature.bind(*call.args, **keywords)


def check(code: str) -> None:
    [program] = ast.parse(f"async def _():\n    {code}").body
    assert isinstance(program, ast.AsyncFunctionDef)
    for node in ast.walk(program):
        if isinstance(node, ast.Attribute):
            resolve(node)
        elif isinstance(node, ast.Call):
            takes(resolve(node.func), node)
    for statement in program.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name):
            resolve(statement.value)
        for base in getattr(statement, "bases", ()):
            resolve(base)


def test_there_is_much_to_look_up() -> None:
    assert len(rows()) > 100


@pytest.mark.parametrize(("line", "cell"), rows())
def test_every_spelling_exists(line: int, cell: str) -> None:
    codes = CODE.findall(cell)
    assert bool(codes) is not cell.startswith("—"), f"line {line} names nothing, or a dash too much"
    for code in codes:
        check(code)
