"""Where a worker begins: `python -m erlmcp_py.workers.program`, started by its parent.

Exit codes are those of `erlmcp-node run`. What servers print goes to standard error.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from erlmcp_py.config import ConfigError
from erlmcp_py.sessions.ids import SessionIds
from erlmcp_py.workers.company import Company
from erlmcp_py.workers.orders import Orders, Refused, Up, decode_orders
from erlmcp_py.workers.superior import Line


def main() -> int:
    """Run the node that the parent has ordered; its exit code."""
    lifeline, reports = _take_pipes()
    try:
        orders = decode_orders(_first_line(lifeline))
    except msgspec.MsgspecError as error:
        sys.stderr.write(
            f"erlmcp-node: a worker is started by `erlmcp-node run`, not so: {error}\n"
        )
        return 2
    line = Line(lifeline, reports)
    try:
        return _run(orders, line)
    except ConfigError as error:
        line.tell(Refused(str(error)))
        return 2


def _run(orders: Orders, line: Line) -> int:
    from erlmcp_py.node import NodeFailed, run_node
    from erlmcp_py.parts import WorkerPart

    ids = SessionIds(orders.number, orders.key)
    company = Company(orders.parent, Path(orders.directory), ids)
    part = WorkerPart(company, orders.doors, orders.key, line)
    try:
        run_node(orders.config, lambda lines: line.tell(Up(tuple(lines))), part)
    except NodeFailed as error:
        sys.stderr.write(f"erlmcp-node: {error}\n")
        return 1
    return 0


def _take_pipes() -> tuple[int, int]:
    """Standard input and output, out of the reach of servers."""
    lifeline, reports = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return lifeline, reports


def _first_line(descriptor: int) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            break
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
