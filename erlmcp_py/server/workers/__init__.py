"""Handlers in OS processes of their own, for work that would hold the interpreter."""
