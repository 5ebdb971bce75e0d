"""What stands between a request and the node: limits, and the count of what was refused."""
