"""A server over standard input and output that does wrong when it is told to.

``python pipes.py NAME ERA DIRECTORY``. Its start obeys orders that lie in the directory: a number in
``NAME.exits`` (so many starts end at once), seconds in ``NAME.slow`` (it sleeps first). The rest are tools.
"""

import json
import os
import sys
import time

NAME, ERA, DIRECTORY = sys.argv[1:]


def order(kind):
    """What was ordered, and forget it; 0 if nothing was."""
    file = f"{DIRECTORY}/{NAME}.{kind}"
    try:
        with open(file) as told:  # noqa: PTH123 -- pathlib would double the time of a start
            value = float(told.read())
    except OSError:
        return 0.0
    left = value - 1 if kind == "exits" else 0
    if left > 0:
        with open(file, "w") as told:  # noqa: PTH123
            told.write(str(left))
    else:
        os.unlink(file)  # noqa: PTH108
    return value


def started(slept):
    """Seconds that the start of this process took: on a processor, waiting for one, and asleep.

    0 where the system does not say: then nothing is subtracted from what is measured.
    """
    try:
        with open("/proc/self/schedstat") as told:  # noqa: PTH123
            running, waiting, _ = told.read().split()
    except OSError:
        return 0.0
    return (int(running) + int(waiting)) / 1e9 + slept


if order("exits"):
    sys.stderr.write("no licence today\n")
    sys.exit(4)
slow = order("slow")
time.sleep(slow)

MODERN = {"resultType": "complete"} if ERA == "modern" else {}
LISTED = {"ttlMs": 0, "cacheScope": "private"} if ERA == "modern" else {}
CAPABILITIES = {"tools": {}}
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}}
    for name in (
        "who", "torn", "garbage", "some_garbage", "flood", "twice", "huge", "long", "close", "hang",
        "orphan",
    )
]  # fmt: skip


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(id, result):
    say(json.dumps({"jsonrpc": "2.0", "id": id, "result": {**MODERN, **result}}) + "\n")


def refuse(id, code, text):
    say(json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}) + "\n")


def call(id, name, arguments):
    me = {"name": NAME, "pid": os.getpid(), "startup": STARTUP, "token": arguments.get("token")}
    said = {"content": [{"type": "text", "text": json.dumps(me)}]}
    if name == "torn":
        say(f'{{"jsonrpc":"2.0","id":{json.dumps(id)},"resu')
        os._exit(9)
    elif name == "garbage":
        say("this is no message\n" * 200)
    elif name == "some_garbage":
        say('this is no message\n\n[]\n7\n{"jsonrpc":"1.0"}\n' * 15)
        answer(id, said)
    elif name == "flood":
        sys.stderr.write(("much ado " * 10 + "\n") * 5000)
        answer(id, said)
    elif name == "twice":
        answer("nobody asked", said)
        answer(id, said)
        answer(id, said)
    elif name == "huge":
        block = "x" * (1 << 20)
        for _ in range(20):
            say(block)
    elif name == "long":
        answer(id, {"content": [{"type": "text", "text": json.dumps({**me, "long": "x" * 10**6})}]})
    elif name == "close":
        os.close(1)
    elif name == "hang":
        time.sleep(3600)
    elif name == "orphan":
        if os.fork() == 0:
            time.sleep(3600)  # its child keeps the pipes open
        os._exit(9)
    else:
        answer(id, said)


STARTUP = started(slow)
for line in sys.stdin:
    asked = json.loads(line)
    method, params, id = asked.get("method"), asked.get("params") or {}, asked.get("id")
    if id is None:
        continue
    if method == "tools/call":
        call(id, params["name"], params.get("arguments") or {})
    elif method == "tools/list":
        answer(id, {"tools": TOOLS, **LISTED})
    elif method == "server/discover" and ERA == "modern":
        versions = ["2026-07-28"]
        answer(id, {"supportedVersions": versions, "capabilities": CAPABILITIES, **LISTED})
    elif method == "initialize" and ERA == "legacy":
        info = {"name": NAME, "version": "1"}
        answer(
            id,
            {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "serverInfo": info},
        )
    elif method == "ping":
        answer(id, {})
    else:
        refuse(id, -32601, f"Method not found: {method}")
