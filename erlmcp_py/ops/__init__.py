"""Operating a node: what is well, what is not, and who is told."""
