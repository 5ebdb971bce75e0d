"""The protocol revisions this node speaks, and the two eras they fall into.

Up to 2025-11-25 a connection begins with `initialize` and has a session: the *legacy* era. From
2026-07-28 on every request stands alone and carries its own version: the *modern* era. All else in
`erlmcp_py` asks for the era, and only the shaping of results (`protocol.shape`) for the revision.
"""

from __future__ import annotations

from typing import Final, Literal

Era = Literal["legacy", "modern"]

LATEST: Final = "2026-07-28"
MODERN: Final[tuple[str, ...]] = (LATEST,)
LEGACY: Final[tuple[str, ...]] = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
SUPPORTED: Final[tuple[str, ...]] = MODERN + LEGACY
"""Every revision, newest first."""

ASSUMED_WITHOUT_HEADER: Final = "2025-03-26"
"""What a legacy HTTP request without `MCP-Protocol-Version` is taken for (MCP, transports)."""


def era_of(version: str) -> Era:
    """The era of a version string as a peer sent it.

    Only the four handshake revisions are legacy. Anything else, unknown strings included, takes
    the modern ladder, where a wrong version gets a structured -32022 (MCP 2026-07-28, versioning).
    """
    return "legacy" if version in LEGACY else "modern"


def negotiate_legacy(requested: str) -> str:
    """The revision to answer `initialize` with: the requested one if it has a handshake and is
    known here, else the newest that has one (MCP 2025-11-25, lifecycle).
    """
    return requested if requested in LEGACY else LEGACY[0]
