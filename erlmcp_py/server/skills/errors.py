"""What can be wrong with a skill."""

from __future__ import annotations


class BadSkill(ValueError):
    """A directory is no skill that could be served; the text says why, on one line."""
