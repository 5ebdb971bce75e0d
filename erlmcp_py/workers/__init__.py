"""Several workers on one port: a parent node supervises them, each is a node of its own.

In the parent: `doors` holds the listening sockets, `owner` is the process of one worker, `crew` what
is known of all of them, `parent` the tree and its life. In a worker: `program` is where it begins,
`superior` tells the parent how it is and ends with it, `company` are the workers it can reach, `post`
takes the connections they hand over. `orders` is what the two tell each other.
"""
