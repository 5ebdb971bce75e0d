"""Messages that are almost right, at a whole node: always the right error, once, and on it goes."""
