"""Pykka's `ask`, the same counter: ``python -m bench.kernel.pykka_actor ask N``."""

import json
import sys
from time import perf_counter

import pykka


class Counter(pykka.ThreadingActor):
    def __init__(self):
        super().__init__()
        self.count = 0

    def on_receive(self, message):
        if message == "increment":
            self.count += 1
        return self.count


def ask(n: int) -> dict[str, float]:
    ref = Counter.start()
    for _ in range(n // 20):
        ref.ask("increment")
    before = ref.ask("value")
    start = perf_counter()
    for _ in range(n):
        ref.ask("increment")
    seconds = perf_counter() - start
    assert ref.ask("value") - before == n
    ref.stop()
    return {"per_second": n / seconds}


def main() -> None:
    step, n = sys.argv[1:]
    if step != "ask":
        raise SystemExit(f"unknown step {step!r}; there is only 'ask'")
    print(json.dumps(ask(int(n))))


if __name__ == "__main__":
    main()
