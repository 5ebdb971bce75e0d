"""The kernel rows: which step measures them, how often, and against whom."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..mcp.process import percentile
from ..series import Goal, Measured, Row
from ..worker import ROOT, measure

ROUNDS = 5
ERLANG = "Erlang gen_server"
DESIGN = "DESIGN 7"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of both sides, run with the same `n`, and the rows read from its result."""

    ours: str
    n: int
    peer: list[str]
    rows: tuple[tuple[Row, Callable[[dict[str, Any]], float]], ...]


def _erlang(step: str, n: int) -> list[str]:
    return ["escript", str(ROOT / "bench/erlang/kernel.escript"), step, str(n)]


def _rate(result: dict[str, Any]) -> float:
    return float(result["per_second"])


def _p(share: float) -> Callable[[dict[str, Any]], float]:
    return lambda result: percentile(sorted(result["seconds"]), share) * 1e3


def _row(
    key: str, title: str, unit: str, better: Any, goal: Goal | None, peer: str = ERLANG
) -> Row:
    return Row(f"kernel.{key}", "kernel", title, unit, peer, better, (goal,) if goal else ())


STEPS = (
    Step(
        "call",
        1_000_000,
        _erlang("call", 1_000_000),
        (
            (
                _row("call", "call, plain handler", "/s", "more", Goal("ratio", 2.0, DESIGN)),
                _rate,
            ),
        ),
    ),
    Step(
        "async_call",
        100_000,
        [sys.executable, "-m", "bench.kernel.pykka_actor", "ask", "100000"],
        (
            (
                _row(
                    "async_call",
                    "call, async handler",
                    "/s",
                    "more",
                    Goal("ratio", 3.0, DESIGN),
                    peer="Pykka ask",
                ),
                _rate,
            ),
        ),
    ),
    Step(
        "async_call",
        20_000,
        [sys.executable, "-m", "bench.kernel.otpylib_server", "call", "20000"],
        (
            (
                _row(
                    "async_call_otpylib",
                    "call, async handler",
                    "/s",
                    "more",
                    None,
                    peer="otpylib gen_server",
                ),
                _rate,
            ),
        ),
    ),
    Step(
        "cast",
        1_000_000,
        _erlang("cast", 1_000_000),
        (
            (
                _row(
                    "cast", "1,000,000 casts, then a call", "/s", "more", Goal("ratio", 0.7, DESIGN)
                ),
                _rate,
            ),
        ),
    ),
    Step(
        "start",
        100_000,
        _erlang("start", 100_000),
        (
            (
                _row(
                    "start",
                    "start + handshake, 100,000 kept",
                    "/s",
                    "more",
                    Goal("ratio", 1.5, DESIGN),
                ),
                _rate,
            ),
        ),
    ),
    Step(
        "idle",
        100_000,
        _erlang("idle", 100_000),
        (
            (
                _row("idle", "idle GenServer", "bytes", "less", Goal("ours", 1024, DESIGN)),
                lambda result: float(result["bytes"]),
            ),
        ),
    ),
    Step(
        "restart",
        2_000,
        _erlang("restart", 2_000),
        (
            (_row("restart_p50", "kill → restarted, p50", "ms", "less", None), _p(0.50)),
            (
                _row(
                    "restart_p99", "kill → restarted, p99", "ms", "less", Goal("ours", 0.5, DESIGN)
                ),
                _p(0.99),
            ),
        ),
    ),
)


def run(say: Callable[[str], None], rounds: int = ROUNDS) -> list[Measured]:
    """All steps, `rounds` times each, ours and the peer in turn."""
    measured = []
    for step in STEPS:
        say(f"kernel: {step.ours}")
        lines = [(Measured(row), read) for row, read in step.rows]
        for _ in range(rounds):
            ours = measure([sys.executable, "-m", "bench.kernel.ours", step.ours, str(step.n)])
            peer = measure(step.peer)
            for line, read in lines:
                line.add(read(ours), read(peer))
        measured += [line for line, _ in lines]
    return measured
