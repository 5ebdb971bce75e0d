"""Random trees under random faults, and what must be true after each.

`plan` draws a tree and faults from a seed (`tree` is what they are, as data), `play` runs
them. `subjects` has the kernel's parts, each with its processes, its faults and what must
hold of it; `invariants` has what must hold of all. `network` has the same for several nodes
that are connected, and `kinds` says which of the two a seed stands for. `shrink` makes a
failing plan small, `campaign` plays many. The command is `python -m supervisors.testing.simulate`;
docs/testing.md explains it.
"""
