"""Where the microseconds of one `tools/call` over HTTP go: `python -m bench.profile`."""
