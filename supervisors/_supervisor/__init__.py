"""The supervisor: pure strategies inside, one process that carries them out (DESIGN 2.3)."""
