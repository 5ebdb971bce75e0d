"""Random nodes under random faults: the simulator's plans of several connected runtimes.

`plan` draws the nodes and faults of a seed, `play` runs them, `tables` and the subjects
(`connections`, `sequences`, `calls`, `monitors`, `links`, `aliases`, `names`, `groups`,
`hazards`) say what must hold, `smaller` makes a failing plan small. Campaign and command are
those of the package above.
"""
