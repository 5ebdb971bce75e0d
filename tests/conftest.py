"""What every test of the house shares: services that CI requires, and a quiet hypothesis."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import schema_gate

# Started in the background of a script, or with nohup, a program ignores these signals and so do those it
# starts; here they are tried on them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Deadlines measure the machine, not the code: two cores shared with other work make them lie. In CI examples
# are drawn from what a test is, as the simulator's are: what is red there is red on every desk.
settings.register_profile(
    "erlmcp",
    deadline=None,
    max_examples=100,
    derandomize="ERLMCP_REQUIRE_SERVICES" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("erlmcp")


def require_program(name: str, why: str) -> str:
    """Path of an external program; without it the test is skipped, or fails where CI requires it."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"{name} is not on PATH: {why}"
    if os.environ.get("ERLMCP_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def escript() -> str:
    """Erlang's script runner, for tests that compare with the real OTP."""
    return require_program("escript", "install erlang-base to compare with Erlang/OTP")


_gate = schema_gate.Gate()
_gate.install()
_children = Path(tempfile.mkstemp(prefix="schema-gate-")[1])
os.environ[schema_gate.REPORT] = str(_children)


@pytest.fixture(autouse=True)
def schema_gate_() -> Iterator[schema_gate.Gate]:
    """Fails the test in which the node sent a message that its revision's schema does not allow."""
    _gate.forget()
    yield _gate
    violations = _gate.take()
    if _children.exists() and _children.stat().st_size:
        violations.append(_children.read_text())
        _children.write_text("")
    assert not violations, "messages that break their schema:\n" + "\n".join(violations)


def pytest_unconfigure() -> None:
    """Leave no file behind."""
    _children.unlink(missing_ok=True)
