"""Ways that carry messages in both directions: pipes of a program, sockets, the HTTP+SSE of 2024-11-05.

A channel is opened by an async context manager in the process of its connection.
"""

from erlmcp_py.client.channels.channel import Channel, Garbage
from erlmcp_py.client.channels.descriptors import DescriptorChannel, reader

__all__ = ["Channel", "DescriptorChannel", "Garbage", "reader"]
