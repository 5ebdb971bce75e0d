"""The supervisor: pure strategies inside, one process that carries them out (DESIGN 2.3).

spec, errors      child specifications, flags, OTP's terms for what is wrong with them
pacing           restarts with a pause, and a limit per child
plan              the language between strategies and process: actions out, outcomes in
verdicts, intensity, children    the questions, the clock and the table strategies share
regular           what the strategies with named children have in common
one_for_one, one_for_all, rest_for_one, simple_one_for_one    a strategy each
dynamic          children by pid, a spec each (DynamicSupervisor)
machine           picks one
starting, stopping, process      the hands: start functions, signals, mailbox
behaviour, administration, answers    what users subclass, call and get
"""
