"""Which era a version belongs to, and what each error looks like on the wire."""

from __future__ import annotations

import pytest

from erlmcp_py.protocol import errors
from erlmcp_py.protocol.versions import LATEST, LEGACY, SUPPORTED, Era, era_of, negotiate_legacy


@pytest.mark.parametrize("version", LEGACY)
def test_handshake_revisions_are_legacy_and_granted(version: str) -> None:
    assert era_of(version) == "legacy"
    assert negotiate_legacy(version) == version


@pytest.mark.parametrize("version", [LATEST, "2027-01-01", "1999-01-01", "", "draft"])
def test_everything_else_takes_the_modern_ladder(version: str) -> None:
    assert era_of(version) == "modern"
    assert negotiate_legacy(version) == "2025-11-25"


def test_supported_is_newest_first() -> None:
    assert list(SUPPORTED) == sorted(SUPPORTED, reverse=True)


STATUS = [
    # code, modern, legacy
    (errors.PARSE_ERROR, 400, 400),
    (errors.INVALID_REQUEST, 400, 400),
    (errors.METHOD_NOT_FOUND, 404, 200),
    (errors.INVALID_PARAMS, 400, 200),
    (errors.INTERNAL_ERROR, 200, 200),
    (errors.RESOURCE_NOT_FOUND, 200, 200),
    (errors.HEADER_MISMATCH, 400, 200),
    (errors.MISSING_CAPABILITY, 400, 200),
    (errors.UNSUPPORTED_VERSION, 400, 200),
    (1234, 200, 200),
]


@pytest.mark.parametrize(("code", "modern", "legacy"), STATUS)
def test_http_status(code: int, modern: int, legacy: int) -> None:
    assert (errors.http_status(code, "modern"), errors.http_status(code, "legacy")) == (
        modern,
        legacy,
    )


@pytest.mark.parametrize(("era", "code"), [("legacy", -32002), ("modern", -32602)])
def test_resource_not_found_names_the_uri(era: Era, code: int) -> None:
    error = errors.resource_not_found("test://none", era)
    assert (error.code, error.data["uri"]) == (code, "test://none")


def test_unsupported_version_offers_ours() -> None:
    error = errors.unsupported_version("1900-01-01")
    assert error.code == -32022
    assert (error.data["supported"], error.data["requested"]) == (list(SUPPORTED), "1900-01-01")


def test_missing_capability_has_the_shape_of_client_capabilities() -> None:
    error = errors.missing_capability({"sampling": {}})
    assert error.code == -32021
    assert error.data["requiredCapabilities"] == {"sampling": {}}
    assert "sampling" in error.message


def test_an_error_reads_well_in_a_log() -> None:
    assert str(errors.method_not_found("tools/cull")) == "Method not found: tools/cull (-32601)"
    assert str(errors.header_mismatch("no Mcp-Name")) == "Header mismatch: no Mcp-Name (-32020)"
