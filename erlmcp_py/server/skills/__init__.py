"""Skills: instructions for agents, served from a directory (SEP-2640)."""
