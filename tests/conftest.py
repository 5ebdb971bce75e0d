"""What every test of the house shares: services that CI requires, and a quiet hypothesis."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

# Deadlines measure the machine, not the code: two cores shared with other work make them lie.
settings.register_profile(
    "erlmcp", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
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
