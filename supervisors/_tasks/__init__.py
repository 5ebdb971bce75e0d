"""Tasks: processes that do one thing.

running      the process of a task, and who asked for it (`callers`)
task         Task: async_, await_, yield_, shutdown; start, start_link
supervisor   TaskSupervisor: tasks that somebody else supervises
stream       async_stream: one task per item, so many at a time
"""
