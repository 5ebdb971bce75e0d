"""Fixtures for tests of supervised programs; pytest finds them when the package is installed.

`otp_run` runs an async function as a process in virtual time, and `otp_seed` is the seed
of its order of tasks: fresh for every test, shown when the test fails, set with
``pytest --otp-seed N``. Where the package is not installed, a conftest.py says
``pytest_plugins = ["supervisors.testing.pytest_plugin"]``.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeVar

import pytest

T = TypeVar("T")


class OtpRun(Protocol):
    """What the fixture `otp_run` gives."""

    def __call__(self, async_fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run it as the first process of a fresh runtime; its result."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--otp-seed``."""
    parser.addoption(
        "--otp-seed",
        type=int,
        default=None,
        metavar="N",
        help="run every otp_run test with the order of tasks of seed N",
    )


@pytest.fixture
def otp_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test's order of tasks."""
    chosen: int | None = request.config.getoption("--otp-seed")
    seed = random.SystemRandom().randrange(2**32) if chosen is None else chosen
    request.node.user_properties.append(("otp_seed", seed))
    return seed


@pytest.fixture
def otp_run(otp_seed: int) -> OtpRun:
    """`supervisors.testing.run` with the seed of this test."""
    from . import run  # not at the top: pytest imports this module in every run

    def go(async_fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        return run(async_fn, *args, seed=otp_seed)

    return go


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the seed of a test that failed."""
    report = yield
    seeds = [value for name, value in item.user_properties if name == "otp_seed"]
    if report.failed and seeds:
        report.sections.append(("otp_seed", f"to repeat: pytest --otp-seed {seeds[0]}"))
    return report
