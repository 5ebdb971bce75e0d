"""Attacks on WebSocket, from outside: frames written bit by bit, and a judge that reads them its own way."""
