"""Measurements of erlmcp-py beside its peers, in one run: `make bench`.

Every figure is taken by a process of its own and the peers take turns, so a busy neighbour
on the machine weighs on both; what is judged is the ratio. docs/benchmarks.md explains each
row and how to read it.
"""
