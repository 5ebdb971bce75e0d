"""Trees that are smaller than the one of a given plan: without a node, or with a plainer one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .tree import Branch, Node, Plan, Worker, walk


def smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with a smaller tree, the boldest first."""
    for node in walk(plan.tree):
        if node is not plan.tree:
            yield _without(plan, node.id)
    for tree in _plainer_trees(plan.tree):
        yield replace(plan, tree=tree)


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
