"""What tests of clients share."""

from __future__ import annotations

import pytest

from erlmcp_py.client import connection
from supervisors import Backoff


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are made again without a pause worth waiting for."""
    monkeypatch.setattr(connection, "PAUSE", Backoff(first=0.01, factor=2.0, limit=0.1))
