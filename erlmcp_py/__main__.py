"""`python -m erlmcp_py` is `erlmcp-node`."""

from erlmcp_py.cli import main

main()
