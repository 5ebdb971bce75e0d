from __future__ import annotations

import os
import resource
import select
import threading
from pathlib import Path

import pytest
import trio

import supervisors
from erlmcp_py.telemetry.entry import MAX_TEXT, Entry
from erlmcp_py.telemetry.log import LogWriter, audit, log, set_level, stderr
from erlmcp_py.telemetry.sink import Sink
from supervisors import GenServer, Runtime, call, exit_signal, whereis


class Pipe:
    """A sink whose reader decides when to read."""

    def __init__(self, capacity: int = 2000) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.sink = Sink(self.writer, capacity)

    def lines(self) -> list[str]:
        assert self.sink.flush(5)
        try:
            return os.read(self.reader, 1 << 16).decode().splitlines()
        except BlockingIOError:
            return []

    def close(self) -> None:
        self.sink.close()
        for fd in (self.reader, self.writer):
            os.close(fd)


@pytest.fixture
def pipe():
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
async def runtime():
    async with Runtime("n") as runtime:
        yield runtime


class Crasher(GenServer):
    def init(self, message):
        return ("ok", message)

    def handle_cast(self, _request, state):
        raise ValueError(state)


async def crash(message: str = "no such city") -> supervisors.Pid:
    pid = await Crasher.start(message, name="crasher")
    supervisors.cast(pid, "now")
    await trio.testing.wait_all_tasks_blocked()
    return pid


async def test_a_crash_is_one_line_with_time_level_pid_reason_and_place(runtime, pipe) -> None:
    await LogWriter.start("info", pipe.sink, name="log")
    pid = await crash()
    lines = [line for line in pipe.lines() if " crash: " in line]
    assert len(lines) == 1
    time, level, who, text = lines[0].split(maxsplit=3)
    assert time.endswith("Z") and time[10] == "T" and len(time) == len("2026-11-21T02:19:44.123Z")
    assert (level, who) == ("error", str(pid))
    assert text.startswith("crash: crasher (") and "ValueError: no such city at " in text
    assert "test_log.py:" in text and text.endswith("in handle_cast")


async def test_the_stack_follows_at_debug_only(runtime, pipe) -> None:
    writer = await LogWriter.start("info", pipe.sink, name="log")
    await crash()
    assert not any("raise ValueError" in line for line in pipe.lines())
    assert await call(writer, ("set_level", "debug")) == "ok"
    await crash()
    assert any("raise ValueError" in line for line in pipe.lines())


async def test_set_level_refuses_what_is_no_level(runtime, pipe) -> None:
    writer = await LogWriter.start("info", pipe.sink, name="log")
    kind, text = await call(writer, ("set_level", "loud"))
    assert kind == "error" and "one of debug, info" in text


async def test_text_from_strangers_cannot_forge_lines(runtime, pipe) -> None:
    await LogWriter.start("info", pipe.sink, name="log")
    log("info", "tool 'x\n2026-01-01T00:00:00.000Z audit <n.1.0> root kill\x1b[2J'")
    await trio.testing.wait_all_tasks_blocked()
    (line,) = pipe.lines()
    assert "\\n2026" in line and "\\x1b" in line


async def test_audit_is_written_at_every_level(runtime, pipe) -> None:
    await LogWriter.start("critical", pipe.sink, name="log")
    log("error", "not shown")
    audit("uid 1000", "kill", target="<n.7.0>", reason="test")
    await trio.testing.wait_all_tasks_blocked()
    (line,) = pipe.lines()
    assert line.endswith("uid 1000 kill target='<n.7.0>' reason='test'")
    assert line.split()[1] == "audit"


async def test_reports_are_written_while_no_writer_lives_and_once_afterwards(runtime, pipe) -> None:
    first = await LogWriter.start("info", pipe.sink, name="log")
    exit_signal(first, "kill")
    await trio.testing.wait_all_tasks_blocked()
    await crash("in the gap")
    assert sum("crash: crasher" in line for line in pipe.lines()) == 1
    await LogWriter.start("info", pipe.sink, name="log")
    await crash("afterwards")
    assert sum("crash: crasher" in line for line in pipe.lines()) == 1


async def test_the_level_holds_while_no_writer_lives(runtime, pipe) -> None:
    """From info on everything was written then, and to standard error."""
    set_level("error")
    log("warning", "before there was one")
    first = await LogWriter.start("error", pipe.sink, name="log")
    exit_signal(first, "kill")
    await trio.testing.wait_all_tasks_blocked()
    log("warning", "not shown")
    log("error", "shown")
    set_level("debug")
    log("debug", "details")
    assert [line.split()[-1] for line in pipe.lines()] == ["shown", "details"]


async def test_the_level_is_that_of_one_node(capfd: pytest.CaptureFixture[str]) -> None:
    async with Runtime("quiet"):
        set_level("critical")
        async with Runtime("another"):
            log("debug", "not shown")
            log("info", "shown")
        log("error", "not shown either")
    assert stderr.flush(5)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(" shown")


async def test_an_object_that_cannot_be_printed_does_not_end_the_writer(runtime, pipe) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    writer = await LogWriter.start("info", pipe.sink, name="log")

    async def boom() -> None:
        raise Unprintable

    supervisors.spawn(boom)
    await trio.testing.wait_all_tasks_blocked()
    assert any("crash: " in line and "Unprintable" in line for line in pipe.lines())
    assert whereis("log") == writer


def test_long_texts_are_cut_and_say_so() -> None:
    line = Entry(0.0, "info", None, "x" * (MAX_TEXT + 5)).line()
    assert line.startswith("1970-01-01T00:00:00.000Z info     - xxx")
    assert line.endswith("… (5 more characters)")


def test_a_reader_that_stops_costs_lines_but_never_the_writer() -> None:
    pipe = Pipe(capacity=3)
    try:
        big = "y" * 70_000  # more than a pipe holds: the thread is stuck in its first write
        pipe.sink.put(big)
        while pipe.sink.flush(0.01) is False and len(pipe.sink._lines) > 0:
            threading.Event().wait(0.001)
        for number in range(10):
            pipe.sink.put(f"line {number}")
        got = b""
        while len(got) < len(big) + len("\nline 0\nline 1\nline 2\n"):
            select.select([pipe.reader], [], [], 5)
            got += os.read(pipe.reader, 1 << 17)
        assert got.decode().splitlines()[1:] == ["line 0", "line 1", "line 2"]
        pipe.sink.put("later")
        assert pipe.lines() == ["- 7 log lines were dropped here", "later"]
    finally:
        pipe.close()


def test_a_reader_that_is_gone_is_not_waited_for() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = Sink(writer)
    sink.put("nobody")
    assert sink.flush(5)
    sink.put("still nobody")
    assert sink.flush(0)
    os.close(writer)


def test_a_line_that_a_full_disk_has_cut_ends_where_it_was_cut(tmp_path: Path) -> None:
    """What comes when there is room again stood behind it, in the same line."""
    file = tmp_path / "log"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = Sink(fd, pause=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        sink.put("0123456789abcdef")
        assert sink.flush(5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.put("found")
    assert sink.flush(5)
    os.close(fd)
    assert file.read_text() == "0123456789\n- 1 log line was dropped here\nfound\n"
