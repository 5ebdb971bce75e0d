"""The parts of the node that own a socket or a pipe: streamable HTTP and stdio."""
