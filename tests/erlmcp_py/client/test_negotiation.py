"""What is sent to find out the era, for every kind of answer."""

from __future__ import annotations

import pytest

from erlmcp_py.client.negotiation import (
    Agreed,
    Discover,
    Events,
    Failed,
    Initialize,
    Negotiation,
)
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.versions import LATEST, LEGACY

NEWEST = LEGACY[0]


def refusal(code: int, *supported: str) -> McpError:
    return McpError(code, "no", {"supported": list(supported)} if supported else None)


def test_a_modern_server() -> None:
    machine = Negotiation()
    assert machine.start() == Discover(LATEST)
    assert machine.discovered([LATEST, NEWEST]) == Agreed("modern", LATEST)


@pytest.mark.parametrize("code", [-32601, -32600, -32602, -32603, -32000, 17, -32002])
def test_any_ordinary_error_leads_to_initialize(code: int) -> None:
    machine = Negotiation()
    assert machine.refused(refusal(code)) == Initialize(NEWEST)
    assert machine.initialized("2024-11-05") == Agreed("legacy", "2024-11-05")


def test_silence_leads_to_initialize() -> None:
    machine = Negotiation()
    assert machine.silent("no answer to A") == Initialize(NEWEST)
    assert machine.silent("no answer to B") == Failed("no answer to B, nor to server/discover")


def test_an_address_that_is_known_to_be_modern_and_is_silent_is_frozen() -> None:
    assert Negotiation(remembered="modern", has_events=True).silent("no answer") == Failed(
        "no answer"
    )
    # A program may be another version of itself by now.
    assert Negotiation(remembered="modern").silent("no answer") == Initialize(NEWEST)


@pytest.mark.parametrize("has_events", [True, False])
def test_one_that_is_slow_and_does_not_know_initialize_is_asked_once_more(has_events: bool) -> None:
    machine = Negotiation(has_events=has_events)
    assert machine.silent("no answer") == Initialize(NEWEST)
    assert machine.refused(refusal(-32601)) == Discover(LATEST)
    assert machine.discovered([LATEST]) == Agreed("modern", LATEST)
    machine = Negotiation(has_events=has_events)
    assert machine.silent("no answer") == Initialize(NEWEST)
    assert machine.refused(refusal(-32601)) == Discover(LATEST)
    assert machine.silent("no answer again") == Failed("no answer again")


def test_a_modern_error_never_does() -> None:
    assert Negotiation().refused(refusal(-32022, LATEST)) == Discover(LATEST)
    assert isinstance(Negotiation().refused(refusal(-32020)), Failed)
    assert isinstance(Negotiation().refused(refusal(-32021)), Failed)
    assert isinstance(Negotiation().refused(refusal(-32022, "2031-01-01")), Failed)


def test_a_server_that_refuses_what_it_supports_is_not_asked_without_end() -> None:
    machine = Negotiation()
    steps = [machine.refused(refusal(-32022, LATEST)) for _ in range(4)]
    assert isinstance(steps[-1], Failed)


def test_a_version_error_that_names_older_ones() -> None:
    machine = Negotiation()
    assert machine.refused(refusal(-32022, "2025-06-18", "2024-11-05")) == Initialize("2025-06-18")


def test_what_is_remembered_is_tried_first_and_no_dead_end() -> None:
    machine = Negotiation(remembered="legacy")
    assert machine.start() == Initialize(NEWEST)
    assert machine.refused(refusal(-32022, LATEST)) == Discover(LATEST)
    assert machine.discovered([LATEST]) == Agreed("modern", LATEST)


def test_nor_is_it_for_a_server_that_does_not_say_what_it_speaks() -> None:
    machine = Negotiation(remembered="legacy", has_events=True)
    assert machine.start() == Initialize(NEWEST)
    assert machine.refused(refusal(-32601)) == Discover(LATEST)
    assert isinstance(machine.refused(refusal(-32601)), Events), "or it is of 2024-11-05"
    machine = Negotiation(remembered="legacy")
    machine.refused(refusal(-32601))
    assert isinstance(machine.refused(refusal(-32601)), Failed)


@pytest.mark.parametrize("status", [400, 404, 405])
def test_http_falls_back_twice(status: int) -> None:
    machine = Negotiation(has_events=True)
    assert machine.failed("HTTP", status) == Initialize(NEWEST)
    assert machine.failed("HTTP", status) == Events("HTTP")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_status_that_says_nothing_of_the_era(status: int) -> None:
    assert Negotiation(has_events=True).failed("HTTP", status) == Failed("HTTP")


def test_modes() -> None:
    assert Negotiation("legacy").start() == Initialize(NEWEST)
    assert isinstance(Negotiation("legacy").refused(refusal(-32022, LATEST)), Failed)
    assert isinstance(Negotiation("modern").failed("no answer"), Failed)
    assert Negotiation("modern", remembered="legacy").start() == Discover(LATEST)


def test_an_unknown_version_is_no_agreement() -> None:
    machine = Negotiation("legacy")
    assert isinstance(machine.initialized("1999-01-01"), Failed)
