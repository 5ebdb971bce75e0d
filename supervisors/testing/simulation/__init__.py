"""Random trees under random faults, and what must be true after each.

`plan` draws a tree and faults from a seed, `play` runs them, `invariants` says what must
hold, `shrink` makes a failing plan small, `campaign` plays many. The command is
`python -m supervisors.testing.simulate`; docs/testing.md explains it.
"""
