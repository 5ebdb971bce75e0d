"""The table of what is accepted and refused, against the parser and against a reader written apart."""

from __future__ import annotations

import pytest

from erlmcp_py.transports.http.request import Fault, HttpLimits, HttpRequest, RequestParser
from tests.attack.http import strict
from tests.attack.http.agreeing import disagreement
from tests.attack.http.table import CASES, Case

NEXT = b"POST /next HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nnext"
LIMITS = HttpLimits()


def parse(wire: bytes, step: int) -> list[HttpRequest | Fault]:
    parser = RequestParser(LIMITS)
    return [
        event
        for at in range(0, len(wire), step)
        for event in parser.feed(wire[at : at + step])
    ]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_is_accepted_and_what_is_refused(case: Case) -> None:
    events = parse(case.wire + NEXT, 1 << 20)
    if isinstance(case.verdict, int):
        (fault,) = events
        assert isinstance(fault, Fault), fault
        assert fault.status == case.verdict, fault
    else:
        request, following = events
        assert isinstance(request, HttpRequest), request
        assert request.body == case.verdict
        assert isinstance(following, HttpRequest), following
        assert (following.path, following.body) == ("/next", b"next")
    if len(case.wire) < 10_000:
        assert parse(case.wire + NEXT, 1) == events
    else:
        assert parse(case.wire + NEXT, 997) == events


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_is_accepted_can_be_read_in_one_way_only(case: Case) -> None:
    stream = case.wire + NEXT
    assert disagreement(stream, parse(stream, 1 << 20)) is None
    if isinstance(case.verdict, bytes):
        requests, end = strict.read(stream)
        assert ([r.body for r in requests], end) == ([case.verdict, b"next"], "end")


def test_the_table_has_both() -> None:
    refused = sum(isinstance(case.verdict, int) for case in CASES)
    assert refused > 200
    assert len(CASES) - refused > 40
    assert len({case.name for case in CASES}) == len(CASES)
