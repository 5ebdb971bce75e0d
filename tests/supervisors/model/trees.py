"""Random trees, for Hypothesis to draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from .tree_spec import DYNAMIC, SIMPLE, Fork, Leaf, Node

RESTARTS = st.sampled_from(["permanent", "transient", "temporary"])
STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]
LIKELY = st.sampled_from([True, True, False])
STRATEGIES_BELOW = [*STRATEGIES, SIMPLE, SIMPLE, DYNAMIC, DYNAMIC, DYNAMIC]
INTENSITIES = [2, 6, 20], [0, 1, 2, 6]
"""Of the root, whose end is the end of the story, and of the others."""
SECONDS = st.sampled_from([0.0, 0.0, 0.25, 2.25])
KINDS = st.sampled_from(["plain", "plain", "async", "task"])


@st.composite
def leaves(draw: Any, id: str = "", auto: str = "never") -> Leaf:
    kind, restart = draw(KINDS), draw(RESTARTS)
    return Leaf(
        id,
        kind,
        traps=draw(st.booleans()),
        restart=restart,
        shutdown=draw(st.sampled_from([5.0, 1.0, "brutal_kill"])),
        significant=auto != "never" and restart != "permanent" and draw(LIKELY),
        lingers=0.0 if kind == "plain" else draw(SECONDS),
        init_takes=0.0 if kind == "plain" else draw(SECONDS),
    )


@st.composite
def forks(draw: Any, id: str = "r", depth: int = 0, outer: str = "never") -> Fork:
    strategy = draw(st.sampled_from([*STRATEGIES, SIMPLE] if depth == 0 else STRATEGIES_BELOW))
    restart = draw(RESTARTS)
    auto = "never"
    if strategy != DYNAMIC:
        auto = draw(st.sampled_from(["never", "any_significant", "all_significant"]))
    fork = Fork(
        id,
        strategy=strategy,
        intensity=draw(st.sampled_from(INTENSITIES[depth > 0])),
        period=draw(st.sampled_from([1, 2])),
        auto_shutdown=auto,
        restart=restart,
        significant=outer != "never" and restart != "permanent" and draw(st.booleans()),
    )
    if strategy == SIMPLE:
        return replace(fork, template=draw(leaves(f"{id}s", auto)))
    if strategy == DYNAMIC:
        return fork
    return replace(
        fork,
        children=tuple(
            draw(forks(f"{id}{n}", depth + 1, auto))
            if depth < 2 and draw(st.booleans())
            else draw(leaves(f"{id}{n}", auto))
            for n in range(draw(st.integers(1, 4)))
        ),
    )


def ids(node: Node) -> list[str]:
    """Of everybody in the tree, top down."""
    below = [] if isinstance(node, Leaf) else [id for child in node.children for id in ids(child)]
    return [node.id, *below]
