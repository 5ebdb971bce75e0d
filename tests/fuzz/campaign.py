"""Rounds of fuzzing: so many messages, from one seed, each round with the next."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests import schema_gate
from tests.erlmcp_py.transports.tcp.client import Framing
from tests.fuzz import channel, grammar, http, oracle, stdio, tcp, websocket

BUNCH: Final = 30
"""Messages that one node is sent, at most."""

ROUND: Final = 80
"""Nodes of a round."""


class Way(NamedTuple):
    """How messages come to a node. play: to a node of its own, with all that is sent, whose texts it
    answers; AssertionError if the node did not do right.
    """

    what: st.SearchStrategy[Any]
    play: Callable[[Sequence[Any]], Sequence[bytes]]


def _stdio(lines: Sequence[bytes]) -> Sequence[bytes]:
    channel.judge(lines, *stdio.play(lines))
    return lines


def _tcp(framing: Framing, messages: Sequence[bytes]) -> Sequence[bytes]:
    channel.judge(messages, *tcp.play(messages, framing))
    return messages


def _websocket(messages: Sequence[bytes]) -> Sequence[bytes]:
    channel.judge(messages, *websocket.play(messages))
    return messages


def _http(shots: Sequence[grammar.Shot]) -> Sequence[bytes]:
    http.judge(shots, *http.play(shots))
    return [shot.body for shot in shots]


_WAYS: Final = {
    "stdio": Way(grammar.lines(), _stdio),
    "http": Way(grammar.shots(), _http),
    "tcp newline": Way(grammar.lines(), partial(_tcp, "newline")),
    "tcp length": Way(grammar.lines(), partial(_tcp, "length")),
    "websocket": Way(grammar.lines().filter(websocket.fits), _websocket),
}
TRANSPORTS: Final = tuple(_WAYS)


def one_node(transport: str, bunch: Sequence[Any], gate: schema_gate.Gate) -> None:
    """A node that is sent all that. AssertionError if it did not do right."""
    gate.forget()
    gate.take()
    texts = _WAYS[transport].play(bunch)
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
    @given(st.lists(_WAYS[transport].what, min_size=BUNCH // 2, max_size=BUNCH))
    def play(bunch: Any) -> None:
        nonlocal sent
        sent += len(bunch)
        one_node(transport, bunch, gate)

    play()
    return sent


def run(
    total: int, number: int, gate: schema_gate.Gate, told: Callable[[str, int, int], None]
) -> int:
    """Rounds of every transport in turn, of each at least one, until `total` messages were sent; how
    many were.

    told: is called after each round with transport, seed and the messages so far.
    """
    sent = 0
    for turn in itertools.count():
        if sent >= total and turn >= len(TRANSPORTS):
            break
        transport, one = TRANSPORTS[turn % len(TRANSPORTS)], number + turn // len(TRANSPORTS)
        sent += one_round(transport, one, ROUND, gate)
        told(transport, one, sent)
    return sent
