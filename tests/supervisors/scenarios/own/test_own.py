"""Scenarios of our own: one module, one script and one recorded trace each, of one name.

A module `oNN_name` here has `run(scenario)`, the steps of ``oNN_name.escript`` under
``tests/data/otp/own``, and `OTP`, the cases of OTP's suites that it covers. Adding the
three files adds the tests.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from ..erlang import erlangs_own
from ..harness import GOLDEN, golden, play

HERE = Path(__file__).parent
OWN = GOLDEN / "own"
MODULES = {
    path.stem: importlib.import_module(f"{__package__}.{path.stem}")
    for path in sorted(HERE.glob("o[0-9][0-9]_*.py"))
}


def covering(name: str) -> Any:
    """A scenario as a parameter that stands for the cases it covers."""
    cases = [pytest.mark.otp(suite, case) for suite, case in MODULES[name].OTP]
    return pytest.param(name, marks=cases)


def ours(name: str) -> list[str]:
    return trio.run(play, MODULES[name].run, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("name", [covering(name) for name in MODULES])
def test_as_erlang_did(name: str) -> None:
    assert ours(name) == golden(f"own/{name}")


@pytest.mark.parametrize("name", MODULES)
def test_as_the_installed_erlang_does(escript: str, name: str) -> None:
    erlang = erlangs_own(escript, f"own/{name}")
    assert ours(name) == erlang
    assert erlang == golden(f"own/{name}")


def test_every_script_has_its_module_and_its_trace() -> None:
    assert {path.stem for path in OWN.glob("o*.escript")} == set(MODULES)
    assert {path.stem for path in OWN.glob("o*.trace")} == set(MODULES)
