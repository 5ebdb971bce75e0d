"""Code change of servers: a reloaded module's code runs, and a failure changes nothing."""

from __future__ import annotations

import importlib
import sys as python
from pathlib import Path
from typing import Any

import pytest

from supervisors import GenServer, call, sys

OLD = """
from supervisors import GenServer

class Greeter(GenServer):
    def init(self):
        return "ok", "old state"
    {kind}def handle_call(self, request, from_, state):
        return "reply", ("old", state), state
"""

NEW = """
from supervisors import GenServer

class Greeter(GenServer):
    {kind}def handle_call(self, request, from_, state):
        return "reply", ("new", state), state
    def code_change(self, old_vsn, state, extra):
        if old_vsn == "bad":
            return "error", "cannot"
        return "ok", (state, old_vsn, extra)
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file of a module `greeter_under_test` that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(python, "dont_write_bytecode", True)
    yield tmp_path / "greeter_under_test.py"
    python.modules.pop("greeter_under_test", None)


@pytest.mark.parametrize("kind", ["", "async "])
def test_a_reloaded_modules_code_runs_after_the_change(as_process, source, kind) -> None:
    source.write_text(OLD.format(kind=kind))
    module = importlib.import_module("greeter_under_test")

    async def main() -> None:
        pid = await module.Greeter.start()
        source.write_text(NEW.format(kind=kind))
        importlib.reload(module)
        assert await call(pid, "who") == ("old", "old state")
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="cannot"):
            await sys.change_code(pid, None, "bad", None)
        await sys.resume(pid)
        assert await call(pid, "who") == ("old", "old state")
        await sys.suspend(pid)
        await sys.change_code(pid, "greeter_under_test", "v1", "extra")
        await sys.resume(pid)
        assert await call(pid, "who") == ("new", ("old state", "v1", "extra"))

    as_process(main)


def test_a_server_cannot_become_async_while_it_lives(as_process, source) -> None:
    source.write_text(OLD.format(kind=""))
    module = importlib.import_module("greeter_under_test")

    async def main() -> None:
        pid = await module.Greeter.start()
        source.write_text(NEW.format(kind="async "))
        importlib.reload(module)
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="async"):
            await sys.change_code(pid, None, "v1", None)
        await sys.resume(pid)
        assert await call(pid, "who") == ("old", "old state")

    as_process(main)


def test_a_class_or_module_that_is_gone_is_an_error(as_process, source) -> None:
    source.write_text(OLD.format(kind=""))
    module = importlib.import_module("greeter_under_test")

    async def main() -> None:
        pid = await module.Greeter.start()
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="no_such_module"):
            await sys.change_code(pid, "no_such_module", None, None)
        del module.Greeter
        with pytest.raises(sys.CodeChangeError, match="undef"):
            await sys.change_code(pid, None, None, None)

    as_process(main)


def test_a_migration_that_waits_is_refused_with_the_class() -> None:
    with pytest.raises(TypeError, match="code_change must be a plain function"):

        class Waits(GenServer):
            async def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
                return "ok", state
