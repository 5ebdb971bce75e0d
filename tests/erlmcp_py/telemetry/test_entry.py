"""Every kind of report has an entry of its own, at a level that fits."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import supervisors
from erlmcp_py.telemetry.entry import describe
from supervisors import (
    ApplicationReport,
    CrashReport,
    ErrorReport,
    LongSchedule,
    ProgressReport,
    Report,
    SupervisorReport,
    WarningReport,
)
from supervisors.alarm_handler import AlarmReport
from supervisors.gen_event import HandlerReport

STACK = '  File "/srv/tool.py", line 7, in hold\n    time.sleep(9)\n'
CHILD = {"id": "worker", "pid": None}

SAMPLES = [
    (
        CrashReport(None, "error", "boom", "it", None, "m:f", (), 0, (), False),
        ["error crash: it (m:f) ended with error boom"],
    ),
    (
        ErrorReport(None, "it", "m:Server", "hello", {}, "boom"),
        ["error terminating: it boom; last message 'hello'"],
    ),
    (
        HandlerReport(None, "h", "m:Pager", "ring", {}, ("EXIT", "boom"), "h", "alarms"),
        ["error event handler h (m:Pager) was removed: boom; last event 'ring'"],
    ),
    (
        SupervisorReport(None, "top", "child_terminated", "boom", CHILD),
        ["error supervisor top: child_terminated: child worker None boom"],
    ),
    (
        SupervisorReport(None, "top", "child_terminated", ("shutdown", "lost"), CHILD),
        ["debug supervisor top: child_terminated: child worker None (shutdown, lost)"],
    ),
    (ProgressReport(None, "top", CHILD), ["debug supervisor top: started worker None"]),
    (
        LongSchedule(None, 0.25, "m:f", STACK, False),
        [
            "warning m:f held the loop for 0.250 s at /srv/tool.py:7 in hold",
            '  debug     File "/srv/tool.py", line 7, in hold',
            "  debug       time.sleep(9)",
        ],
    ),
    (
        LongSchedule(None, 2.0, "m:f", "", True),
        ["warning m:f held the loop for 2.000 s; it was made to crash (max_run)"],
    ),
    (
        AlarmReport(None, "set", ("disk_almost_full", "/"), "93 %"),
        ["warning alarm set: ('disk_almost_full', '/'): '93 %'"],
    ),
    (AlarmReport(None, "clear", "memory"), ["info alarm cleared: 'memory'"]),
    (ApplicationReport(None, "chaos", "started", "temporary"), ["info application chaos started"]),
    (
        ApplicationReport(None, "chaos", "exited", "temporary", "stopped"),
        ["info application chaos ended, temporary"],
    ),
    (
        ApplicationReport(None, "chaos", "exited", "temporary", "shutdown"),
        ["error application chaos ended, temporary: shutdown"],
    ),
    (WarningReport(None, "odd", {"x": 1}), ["warning odd (x=1)"]),
]


@pytest.mark.parametrize(("report", "lines"), SAMPLES, ids=lambda value: type(value).__name__)
def test_entries(report: Report, lines: list[str]) -> None:
    entries = [f"{entry.level} {entry.text}" for entry in describe(report, 0.0)]
    assert len(entries) == len(lines)
    for entry, line in zip(entries, lines, strict=True):
        assert entry.startswith(line.strip()), entry


def kinds(of: type[Report]) -> set[type[Report]]:
    return {of}.union(*(kinds(kind) for kind in of.__subclasses__()))


def test_no_report_is_without_an_entry_of_its_own() -> None:
    for module in pkgutil.walk_packages(supervisors.__path__, "supervisors."):
        if ".testing" not in module.name:
            importlib.import_module(module.name)
    # By name: a dataclass with slots leaves the class it was made from behind.
    known = {kind.__name__ for kind in kinds(Report) if kind.__module__.startswith("supervisors.")}
    assert known - {"Report"} == {type(report).__name__ for report, _ in SAMPLES}
