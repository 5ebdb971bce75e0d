"""The official conformance suite against this project: fixtures, runner and gate."""
