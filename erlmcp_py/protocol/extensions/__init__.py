"""Extensions of MCP, each in a module of its own: declared in `capabilities.extensions`, off by default."""
