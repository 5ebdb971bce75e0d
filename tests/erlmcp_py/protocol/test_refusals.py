"""The catalogue of refusals, and the errors made of it."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from erlmcp_py.protocol import errors, refusals
from erlmcp_py.protocol.jsonrpc import decode, encode, error_response

RANGES = (
    range(1001, 1006),
    range(1011, 1017),
    range(1021, 1030),
    range(1036, 1041),
    range(1046, 1053),
    range(1056, 1061),
    range(1066, 1071),
    range(1076, 1081),
    range(1086, 1090),
)


def test_every_code_of_the_ranges_has_an_entry_and_no_other() -> None:
    assert list(refusals.TABLE) == [code for each in RANGES for code in each]


def test_entries_are_whole() -> None:
    names = [entry.name for entry in refusals.TABLE.values()]
    assert len(set(names)) == len(names)
    for code, entry in refusals.TABLE.items():
        assert entry.code == code
        assert entry.message and entry.hint, entry
        assert all(HTTPStatus(status) >= 400 or status == 200 for status in entry.statuses), entry
        assert entry.errors, entry


def test_who_is_told_to_wait_is_told_how_long() -> None:
    """Retry-After belongs to 429 and 503 (RFC 9110, 15.6.4; RFC 6585, 4) and to nothing else."""
    for entry in refusals.TABLE.values():
        if entry.retry_after is not None:
            assert entry.status in (429, 503), entry
            assert entry.retry_after > 0, entry


def test_an_error_says_its_code_and_what_to_do() -> None:
    error = errors.refused(refusals.TOOL_NOT_FOUND, "Unknown tool: 'x'")
    assert (error.code, error.message) == (-32602, "Unknown tool: 'x'")
    assert error.data == {"refusal": 1048, "hint": refusals.TOOL_NOT_FOUND.hint}


def test_an_entry_has_words_of_its_own() -> None:
    error = errors.refused(refusals.RATE_LIMITED)
    assert error.message == refusals.RATE_LIMITED.message


def test_what_mcp_wants_in_the_data_stays_there() -> None:
    error = errors.unsupported_version("1900-01-01")
    assert error.data["requested"] == "1900-01-01"
    assert error.data["refusal"] == 1027


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", 1066),
        (b"[]", 1066),
        (b'{"jsonrpc": "2.0", "method": 1, "id": 1}', 1066),
        (b'{"jsonrpc": "2.0", "method": "\xff", "id": 1}', 1070),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": ' + b'{"a":' * 200 + b"1", 1066),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": '
            + b'{"a":' * 200
            + b"1"
            + b"}" * 201,
            1068,
        ),
    ],
)
def test_what_is_no_message(line: bytes, code: int) -> None:
    with pytest.raises(errors.DecodeError) as caught:
        decode(line)
    answer = decode(encode(error_response(None, caught.value)))
    assert refusals.refusal_of(answer.error.data) is refusals.TABLE[code]


@pytest.mark.parametrize("data", [None, 1056, {}, {"refusal": 1}, {"refusal": "1056"}, [1056]])
def test_data_of_others_names_no_refusal(data: object) -> None:
    assert refusals.refusal_of(data) is None


def test_the_modern_era_says_over_http_when_the_node_has_too_much_to_do() -> None:
    full = errors.refused(refusals.EXHAUSTED)
    assert errors.status_of(full.code, full.data, "modern") == 503
    assert errors.status_of(full.code, full.data, "legacy") == 200


def test_statuses_that_mcp_prescribes_stay() -> None:
    for error in (
        errors.header_mismatch("x"),
        errors.missing_capability({"sampling": {}}),
        errors.unsupported_version("x"),
        errors.refused(refusals.QUOTA_EXCEEDED, code=errors.INVALID_PARAMS),
    ):
        assert errors.status_of(error.code, error.data, "modern") == 400
    unknown = errors.method_not_found("x")
    assert errors.status_of(unknown.code, unknown.data, "modern") == 404
