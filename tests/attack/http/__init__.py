"""Attacks on the HTTP transport, from outside: raw bytes over real sockets at a real listener."""
