"""Whatever of the node is killed, whenever: each request has one answer or a closed connection,
nobody else notices, nothing leaks. `python -m tests.crash`, `make crashes`.
"""
