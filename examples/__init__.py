"""Three small MCP servers: `erlmcp-node run --server examples.simple:server`, and so on."""
