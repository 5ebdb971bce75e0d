"""Making a failing plan small: fewer faults, a smaller tree, plainer nodes.

Each step plays a smaller plan and keeps it if it still finds something wrong. What it finds
may be another violation than before; the smallest program that breaks a rule is worth more
than a large one that breaks the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .play import play
from .tree import Branch, Fault, Node, Plan, Worker, walk


def shrink(plan: Plan, *, attempts: int = 3000) -> Plan:
    """The smallest plan found that still fails, in so many attempts; `plan` must fail."""
    left = attempts

    def fails(candidate: Plan) -> bool:
        nonlocal left
        left -= 1
        return play(candidate).violation is not None

    plan = replace(plan, faults=plan.faults[: play(plan).at + 1])
    smaller: Plan | None = plan
    while smaller is not None:
        plan = smaller
        smaller = None
        for candidate in _candidates(plan):
            if left <= 0:
                return plan
            if fails(candidate):
                smaller = candidate
                break
    return plan


def _candidates(plan: Plan) -> Iterator[Plan]:
    """Smaller plans, the boldest first."""
    faults = plan.faults
    size = len(faults)
    while size:
        for start in range(0, len(faults), size):
            yield replace(plan, faults=faults[:start] + faults[start + size :])
        size //= 2
    for node in walk(plan.tree):
        if node is not plan.tree:
            yield _without(plan, node.id)
    for tree in _plainer_trees(plan.tree):
        yield replace(plan, tree=tree)
    for index, fault in enumerate(faults):
        for plainer in _plainer_faults(fault):
            yield replace(plan, faults=(*faults[:index], plainer, *faults[index + 1 :]))


def _without(plan: Plan, id: str) -> Plan:
    tree = _pruned(plan.tree, id)
    assert isinstance(tree, Branch)
    kept = {node.id for node in walk(tree)}
    return replace(
        plan,
        tree=tree,
        faults=tuple(fault for fault in plan.faults if not fault.target or fault.target in kept),
    )


def _pruned(node: Node, id: str) -> Node:
    if isinstance(node, Worker):
        return node
    children = tuple(_pruned(child, id) for child in node.children if child.id != id)
    if node.children and not children:
        # Neither a pattern nor a copy is left: an ordinary supervisor of nobody.
        return replace(node, children=(), strategy="one_for_one", dynamic=0, behaviour="supervisor")
    return replace(node, children=children)


def _plainer_trees(node: Branch) -> Iterator[Branch]:
    for plainer in _plainer_nodes(node):
        assert isinstance(plainer, Branch)
        yield plainer
    for index, child in enumerate(node.children):
        others: Iterator[Node] = (
            _plainer_trees(child) if isinstance(child, Branch) else _plainer_nodes(child)
        )
        for other in others:
            children = (*node.children[:index], other, *node.children[index + 1 :])
            yield replace(node, children=children)


def _plainer_nodes(node: Node) -> Iterator[Node]:
    """The node with one field as it is by default."""
    default: Node = Worker(node.id) if isinstance(node, Worker) else Branch(node.id)
    fields = ["named", "restart", "shutdown", "significant"]
    if isinstance(node, Worker):
        fields += ["kind", "traps", "limit", "backoff", "budget"]
    else:
        fields += ["auto_shutdown", "period", "max_children"]
    for name in fields:
        value = getattr(default, name)
        if getattr(node, name) != value:
            yield replace(node, **{name: value})
    if isinstance(node, Branch) and node.dynamic > 1:
        yield replace(node, dynamic=1)


def _plainer_faults(fault: Fault) -> Iterator[Fault]:
    if fault.pause:
        yield replace(fault, pause=0.0)
        if fault.pause != 1.0:
            yield replace(fault, pause=1.0)
    if fault.seconds not in (0.0, 1.0):
        yield replace(fault, seconds=1.0)
