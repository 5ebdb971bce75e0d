"""Strangers who mean harm: a node is sent what should bring it down, and clients go on being served."""
