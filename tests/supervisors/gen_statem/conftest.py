"""Both kinds of switch, for the rules that hold for either."""

from __future__ import annotations

import pytest

from .switches import AsyncSwitch, Switch


@pytest.fixture(params=[Switch, AsyncSwitch])
def machine(request: pytest.FixtureRequest) -> type[Switch]:
    return request.param
