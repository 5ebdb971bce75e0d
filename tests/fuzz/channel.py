"""What a node says on a channel of messages both ways, which is the same on all of them: judge it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from erlmcp_py.protocol.jsonrpc import Notification, Request
from erlmcp_py.protocol.meta import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from erlmcp_py.protocol.versions import LATEST
from supervisors import Report
from tests.fuzz import oracle
from tests.fuzz.world import faults

_META: Final = {PROTOCOL_VERSION: LATEST, CLIENT_CAPABILITIES: {}}
GOOD: Final = {
    "jsonrpc": "2.0",
    "id": "the good one",
    "method": "tools/call",
    "params": {"name": "echo", "arguments": {"text": "still here"}, "_meta": _META},
}
"""Comes behind whatever was sent."""


def judge(lines: Sequence[bytes], said: Sequence[Any], reports: list[Report]) -> None:
    """AssertionError if that was not right."""
    assert not faults(reports), faults(reports)
    answers = [message for message in said if "method" not in message]
    assert all(message["jsonrpc"] == "2.0" for message in said)

    fixed: Counter[Any] = Counter()  # how many answers each id gets
    either: list[Any] = []  # ids that may be missing in their answer
    codes: dict[Any, set[int]] = defaultdict(set)
    cancelled: set[Any] = set()
    spoken: frozenset[str | None] = frozenset({None})
    for line in lines:
        reading = oracle.read(line)
        if reading.kind is None or reading.kind is oracle.Response:
            continue
        if reading.kind is oracle.ErrorResponse:
            continue
        if reading.kind is Notification:
            cancelled |= cancels(reading.value)
            continue
        if reading.kind is Request:
            allowed = {
                code
                for version in spoken
                for code in oracle.codes_without_headers(reading.value, version)
            }
            following = oracle.next_versions(reading.value, spoken)
            refused = fixed[reading.ids[0]]  # perhaps, for its id
            spoken = following | spoken if refused else following
        else:
            allowed = set(reading.codes)
        for id in reading.ids:
            codes[id] |= allowed
            if fixed[id] and id is not None:
                codes[id] |= {oracle.INVALID}  # the id is in flight, perhaps
        if len(reading.ids) == 1:
            fixed[reading.ids[0]] += 1
        else:
            either.append(reading.ids[1])
    good = oracle.key_of(GOOD)
    fixed[good] += 1
    codes[good] |= {oracle.OK}

    got = Counter(oracle.key_of(answer) for answer in answers)
    for answer in answers:
        id = oracle.key_of(answer)
        assert oracle.code_of(answer) in codes[id], (answer, codes[id])
    for id in either:
        fixed[id if got[id] > fixed[id] else None] += 1
    for id in {*fixed, *got}:
        least = 0 if id in cancelled else fixed[id]
        assert least <= got[id] <= fixed[id], (id, fixed[id], got[id])
    (answer,) = [a for a in answers if oracle.key_of(a) == good]
    assert answer["result"]["content"][0]["text"] == "still here"


def cancels(value: Any) -> set[Any]:
    """The ids that a notification may have cancelled."""
    if value["method"] != "notifications/cancelled":
        return set()
    id = value.get("params", {}).get("requestId")
    return {oracle.key_of({"id": id})} if type(id) in (int, str) else set()
