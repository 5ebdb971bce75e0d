"""Both kinds of server, for the rules that hold for either."""

from __future__ import annotations

import pytest

from supervisors import GenServer

from .servers import Async, Plain


@pytest.fixture(params=[Plain, Async])
def server(request: pytest.FixtureRequest) -> type[GenServer]:
    return request.param
