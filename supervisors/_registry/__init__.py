"""Registry: processes found by key.

entries      the tables, and how an entry leaves when its process ends
registry     the process that owns a table, and what users call
"""
