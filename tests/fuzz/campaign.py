"""Rounds of fuzzing: so many messages, from one seed, each round with the next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests import schema_gate
from tests.fuzz import grammar, http, oracle, stdio

BUNCH: Final = 30
"""Messages that one node is sent, at most."""

ROUND: Final = 200
"""Nodes of a round."""

_BUNCHES: Final = {
    "stdio": st.lists(grammar.lines(), min_size=BUNCH // 2, max_size=BUNCH),
    "http": st.lists(grammar.shots(), min_size=BUNCH // 2, max_size=BUNCH),
}
TRANSPORTS: Final = tuple(_BUNCHES)


def one_node(transport: str, bunch: Sequence[Any], gate: schema_gate.Gate) -> None:
    """A node that is sent all that. AssertionError if it did not do right."""
    gate.forget()
    gate.take()
    if transport == "stdio":
        texts = list(bunch)
        said, reports = stdio.play(bunch)
        stdio.judge(bunch, said, reports)
    else:
        texts = [shot.body for shot in bunch]
        heard, reports = http.play(bunch)
        http.judge(bunch, heard, reports)
    used = Counter(id for text in texts for id in oracle.read(text).ids)
    violations = [v for v in gate.take() if used[_id_in(v)] <= 1]
    assert not violations, violations


def _id_in(violation: str) -> Any:
    """The id of a message that breaks its schema: where it was used twice, the gate cannot know which
    request is answered.
    """
    return oracle.key_of(json.loads(violation.rpartition("\n    ")[2]))


def one_round(transport: str, number: int, nodes: int, gate: schema_gate.Gate) -> int:
    """So many nodes; how many messages they were sent. Raises what hypothesis found, shrunk."""
    sent = 0

    @seed(number)
    @settings(
        max_examples=nodes,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(_BUNCHES[transport])
    def play(bunch: Any) -> None:
        nonlocal sent
        sent += len(bunch)
        one_node(transport, bunch, gate)

    play()
    return sent


def run(
    total: int, number: int, gate: schema_gate.Gate, told: Callable[[str, int, int], None]
) -> int:
    """Rounds of either transport in turn until `total` messages were sent; how many were.

    told: is called after each round with transport, seed and the messages so far.
    """
    sent = 0
    while sent < total:
        for transport in TRANSPORTS:
            sent += one_round(transport, number, ROUND, gate)
            told(transport, number, sent)
        number += 1
    return sent
