"""``python -m erlmcp_py`` is ``erlmcp-node``."""

from erlmcp_py.cli import main

if __name__ == "__main__":
    main()
