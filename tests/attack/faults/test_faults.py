"""Under every fault of the network each call ends, and the node is what it was before."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from chaos.proxy import HalfOpen, Reset, Toxic, pool
from chaos.proxy.connection import Connection
from erlmcp_py.server.at_work import AtWork
from tests.attack.faults.faults import ANSWERED, FAULTS, UNFINISHED, Fault, pair
from tests.attack.faults.play import play
from tests.schema_gate import Gate


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault(name: str, schema_gate_: Gate) -> None:
    fault = FAULTS[name]

    endings = play(list(FAULTS).index(name), {name: fault}, schema_gate_.forget)

    if fault.endings != ANSWERED:
        assert endings.keys() - ANSWERED, "nobody noticed the fault"


@pytest.mark.parametrize("seed", range(12))
def test_pairs_of_faults(seed: int, schema_gate_: Gate) -> None:
    play(seed, pair(seed), schema_gate_.forget)


@pytest.mark.parametrize(
    "toxic",
    [
        HalfOpen(after=50_000, direction="downstream"),
        HalfOpen(after=50_000, direction="upstream"),
        Reset(spread=4_000_000, direction="downstream"),
        Reset(spread=4_000_000, direction="upstream"),
    ],
    ids=repr,
)
def test_much_more_than_any_buffer_takes(toxic: Toxic, schema_gate_: Gate) -> None:
    endings = play(2, {"much": Fault(toxic, UNFINISHED)}, schema_gate_.forget, size=3_000_000)

    assert endings.keys() - ANSWERED, "nobody noticed the fault"


class TestWhatWouldBeFound:
    """The simulation is worth something only if it notices."""

    @pytest.fixture
    def found(self, schema_gate_: Gate) -> Callable[[str], None]:
        def found(what: str) -> None:
            with pytest.raises((AssertionError, BaseExceptionGroup), match=what):
                play(1, {"reset": FAULTS["reset of answers"]}, schema_gate_.forget)

        return found

    def test_a_descriptor_that_stays_open(
        self, found: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept: list[int] = []
        close = Connection.close

        def keep(self: Connection) -> None:
            kept.append(os.dup(0))
            close(self)

        monkeypatch.setattr(Connection, "close", keep)
        try:
            found("descriptors")
        finally:
            for descriptor in kept:
                os.close(descriptor)

    def test_an_object_that_is_kept(
        self, found: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept: list[Any] = []
        monkeypatch.setattr(pool, "_book", lambda connection, place: kept.append(connection))
        found("objects: .*Connection")

    def test_a_call_that_is_never_forgotten(
        self, found: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = AtWork._end

        def keep(self: AtWork, pid: Any) -> Any:
            running = end(self, pid)
            self.keys[running.scope.key] = pid
            return running

        monkeypatch.setattr(AtWork, "_end", keep)
        found("books")

    def test_a_crash(self, found: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
        book = pool._book

        def crash(connection: Connection, place: Any) -> None:
            book(connection, place)
            if connection.ending is not connection.ending.FINISH:
                raise RuntimeError("for no reason")

        monkeypatch.setattr(pool, "_book", crash)
        # The proxy is what crashes: who calls through it without faults may notice first.
        found("for no reason|without faults: lost")
