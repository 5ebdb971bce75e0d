"""Clients that call without pause."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final

import msgspec
import trio

from erlmcp_py.client import Client
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import ErrorResponse
from tests.upstreams.book import Patient, read
from tests.upstreams.world import TIMEOUT, Violation

PATIENCE: Final = 5.0
"""Seconds that the node has a call wait for an upstream that is being started."""
DEADLINE: Final = PATIENCE + TIMEOUT + 4.0
"""Seconds within which a call has to end, whatever is done; four of them for a machine that is busy."""

Modes = ("modern", "legacy")


class Times:
    """How long calls took, in seconds."""

    def __init__(self) -> None:
        self.calls = 0
        self.slowest = 0.0

    def took(self, seconds: float) -> None:
        """One more."""
        self.calls += 1
        self.slowest = max(self.slowest, seconds)


_tokens = itertools.count(1)


async def call(
    client: Client,
    patient: Patient,
    tool: str,
    times: Times,
    *,
    prefix: str = "",
    meant_to: bool = False,
) -> McpError | None:
    """One call, judged; the error it ended with. Raises Violation. meant_to: whether it is to fail."""
    token = f"{patient.name} {next(_tokens)}"
    began = trio.current_time()
    outcome: McpError | None = None
    # A ClientError is the client's or the node's failure, so it is nobody's to excuse.
    with trio.move_on_after(DEADLINE) as scope:
        try:
            result = await client.call_tool(f"{prefix}{tool}", {"token": token}, timeout=DEADLINE)
        except McpError as error:
            outcome = error
            patient.refused(error, began, meant_to=meant_to)
        else:
            patient.good(read(result), token)
    if scope.cancelled_caught:
        raise Violation(f"{tool} of {patient.name} had no answer within {DEADLINE:g} s")
    times.took(trio.current_time() - began)
    return outcome


async def busy(url: str, mode: str, patient: Patient, times: Times) -> None:
    """A client of one upstream, for ever."""
    async with Client(f"{url}/{patient.name}", mode=mode) as client:  # type: ignore[arg-type]
        while True:
            await call(client, patient, "who", times)


async def busy_with_all(url: str, mode: str, patients: Mapping[str, Patient], times: Times) -> None:
    """A client of all upstreams together, for ever."""
    async with Client(url, mode=mode) as client:  # type: ignore[arg-type]
        for patient in itertools.cycle(patients.values()):
            await call(client, patient, "who", times, prefix=f"{patient.name}_")


async def lists(url: str, names: frozenset[str], times: Times) -> None:
    """A client that looks what there is, for ever: it is all there, whatever stands how."""
    async with Client(url) as client:
        while True:
            began = trio.current_time()
            page, _ = await client.forward("tools/list", {}, timeout=DEADLINE)
            if isinstance(page, ErrorResponse):
                raise Violation(f"tools/list: {page.error.message}")
            found = {tool["name"] for tool in msgspec.json.decode(page.result)["tools"]}
            if not names <= found:
                raise Violation(f"tools/list lacks {sorted(names - found)}")
            times.took(trio.current_time() - began)
