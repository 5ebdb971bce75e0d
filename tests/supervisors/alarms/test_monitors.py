"""The monitors of the machine: marks, intervals, readers that fail or hang, restarts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CrashReport, WarningReport, alarm_handler
from supervisors.os_mon import (
    CpuSup,
    Disk,
    DiskSettings,
    DiskSup,
    Load,
    LoadSettings,
    Memory,
    MemoryData,
    MemorySettings,
    MemSup,
    cpu_sup,
    disksup,
    memsup,
)

QUIET = Memory(total=1000, used=100)


class Gauge:
    """A reader whose value tests set; counts how often it was asked."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.times: list[float] = []

    async def __call__(self) -> Any:
        self.times.append(trio.current_time())
        if isinstance(self.value, BaseException):
            raise self.value
        if self.value == "hang":
            await trio.sleep_forever()
        return self.value


async def ids() -> list[Any]:
    return [id for id, _ in await alarm_handler.get_alarms()]


def load(avg5: float, processors: int = 2) -> Load:
    return Load(0.5, avg5, 0.25, processes=321, processors=processors, busy=30, elapsed=40)


def test_memory_every_minute_above_080(as_process: Any) -> None:
    async def body() -> None:
        await alarm_handler.start_link()
        gauge, began = Gauge(QUIET), trio.current_time()
        await MemSup.start_link(MemorySettings(read=gauge, process=math.inf), name="memsup")
        assert await memsup.get_memory_data() == MemoryData(QUIET, None)
        gauge.value = Memory(1000, 800)
        await trio.sleep(61)
        assert await ids() == []
        gauge.value = high = Memory(1000, 801)
        await trio.sleep(60)
        assert await alarm_handler.get_alarms() == [("system_memory_high_watermark", high)]
        await trio.sleep(60)
        assert len(await ids()) == 1
        gauge.value = QUIET
        await trio.sleep(60)
        assert await ids() == []
        assert [t - began for t in gauge.times] == pytest.approx([0, 60, 120, 180, 240])

    as_process(body)


def test_the_largest_process_above_005(as_process: Any) -> None:
    async def body() -> None:
        await alarm_handler.start_link()
        me = otp.self()
        worst = Gauge((me, 50))
        settings = MemorySettings(read=Gauge(QUIET), read_process=worst)
        await MemSup.start_link(settings, name="memsup")
        await memsup.get_memory_data()
        assert await ids() == []
        worst.value = (me, 51)
        await memsup.get_system_memory_data()
        assert await alarm_handler.get_alarms() == [("process_memory_high_watermark", me)]

    as_process(body)


def test_the_largest_process_is_found_among_many(as_process: Any) -> None:
    class Hoard(otp.GenServer):
        def init(self, size: int) -> Any:
            return "ok", bytes(size)

    async def body() -> None:
        for _ in range(250):
            await Hoard.start_link(10)
        big = await Hoard.start_link(1_000_000)
        for _ in range(50):
            await Hoard.start_link(10)
        worst = await memsup.largest_process()
        assert worst is not None
        assert worst[0] is big
        assert worst[1] > 1_000_000

    as_process(body)


def test_disks_every_half_hour_above_080(as_process: Any) -> None:
    async def body() -> None:
        await alarm_handler.start_link()
        full, data = Disk("/", 1000, 801), Disk("/data", 1000, 800)
        gauge, began = Gauge((full, data)), trio.current_time()
        await DiskSup.start_link(DiskSettings(read=gauge), name="disksup")
        assert await disksup.get_disk_data() == (full, data)
        assert await alarm_handler.get_alarms() == [(("disk_almost_full", "/"), full)]
        gauge.value = (Disk("/", 1000, 10), Disk("/data", 1000, 999))
        await trio.sleep(1801)
        assert await ids() == [("disk_almost_full", "/data")]
        gauge.value = (Disk("/", 1000, 10),)  # unmounted
        assert await disksup.get_disk_info() == gauge.value
        assert await ids() == []
        assert [t - began for t in gauge.times] == pytest.approx([0, 1800, 1801])

    as_process(body)


def test_load_averages_in_parts_of_256(as_process: Any) -> None:
    async def body() -> None:
        gauge = Gauge(load(1.5))
        await CpuSup.start_link(LoadSettings(read=gauge), name="cpu_sup")
        assert await cpu_sup.avg1() == 128
        assert await cpu_sup.avg5() == 384
        assert await cpu_sup.avg15() == 64
        assert await cpu_sup.nprocs() == 321

    as_process(body)


def test_load_is_an_alarm_only_with_a_watermark(as_process: Any) -> None:
    async def body() -> None:
        await alarm_handler.start_link()
        gauge = Gauge(load(2.0))
        await CpuSup.start_link(LoadSettings(read=Gauge(load(999.0))), name="silent")
        await CpuSup.start_link(LoadSettings(read=gauge, per_processor=1.0), name="cpu_sup")
        await cpu_sup.get_load("silent")
        await cpu_sup.get_load()
        assert await ids() == []
        gauge.value = load(2.1)
        await trio.sleep(61)
        assert await ids() == ["system_load_high_watermark"]

    as_process(body)


def test_busy_time_between_two_readings() -> None:
    before = Load(0, 0, 0, 1, 1, busy=100, elapsed=1000)
    now = Load(0, 0, 0, 1, 1, busy=150, elapsed=1200)
    assert cpu_sup.util(before, now) == 25.0
    assert cpu_sup.util(now, now) == 0.0


def test_a_reader_that_hangs_is_given_up_and_changes_no_alarm(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        await alarm_handler.start_link()
        gauge = Gauge(Memory(1000, 900))
        settings = MemorySettings(read=gauge, process=math.inf)
        await MemSup.start_link(settings, name="memsup")
        await memsup.get_memory_data()
        gauge.value = "hang"
        began = trio.current_time()
        assert await memsup.get_system_memory_data() is None
        assert trio.current_time() - began == pytest.approx(30)
        assert await ids() == ["system_memory_high_watermark"]
        (warning,) = [r for r in reports if isinstance(r, WarningReport)]
        assert warning.text == "MemSup: no reading within 30.0 s; alarms are left as they are"
        gauge.value = QUIET
        await trio.sleep(31)
        assert await ids() == []

    as_process(body)


def test_the_time_a_reading_takes_does_not_shift_the_next(as_process: Any) -> None:
    async def body() -> None:
        began, times = trio.current_time(), []

        async def slow() -> Memory:
            times.append(trio.current_time() - began)
            await trio.sleep(10)
            return QUIET

        await alarm_handler.start_link()
        await MemSup.start_link(MemorySettings(read=slow, process=math.inf))
        await trio.sleep(130)
        assert times == pytest.approx([0, 60, 120])

    as_process(body)


def test_a_reader_that_fails_is_reported_and_asked_again_next_time(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        await alarm_handler.start_link()
        gauge = Gauge(OSError("no procfs here"))
        settings = MemorySettings(read=gauge, process=math.inf)
        pid = await MemSup.start_link(settings, name="memsup")
        assert await memsup.get_memory_data() is None
        assert any(isinstance(r, CrashReport) and "procfs" in str(r.reason[0]) for r in reports)
        gauge.value = Memory(1000, 900)
        await trio.sleep(61)
        assert otp.whereis("memsup") is pid
        assert await ids() == ["system_memory_high_watermark"]

    as_process(body)


def test_a_killed_monitor_is_replaced_by_one_that_takes_its_alarms_over(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        await alarm_handler.start_link()
        alarm_handler.set_alarm(("somebody else's", 1))
        gauge = Gauge((Disk("/", 1000, 900), Disk("/data", 1000, 900)))
        for _ in range(2):
            await DiskSup.start_link(DiskSettings(read=gauge), name="disksup")
            await disksup.get_disk_data()
            assert sorted(map(str, await ids())) == [
                "('disk_almost_full', '/')",
                "('disk_almost_full', '/data')",
                "somebody else's",
            ]
            otp.exit("disksup", "kill")
        gauge.value = (Disk("/", 1000, 900),)
        pid = await DiskSup.start_link(DiskSettings(read=gauge), name="disksup")
        await disksup.get_disk_data()
        assert ("disk_almost_full", "/data") not in await ids()
        await otp.stop(pid)
        assert await ids() == ["somebody else's"]

    as_process(body)


def test_stopping_a_monitor_needs_no_alarm_handler(as_process: Any) -> None:
    async def body() -> None:
        await alarm_handler.start_link()
        settings = MemorySettings(read=Gauge(Memory(1000, 900)), process=math.inf)
        pid = await MemSup.start_link(settings)
        await memsup.get_memory_data(pid)
        await otp.stop("alarm_handler")
        await otp.stop(pid)

    as_process(body)


@pytest.mark.parametrize("field", ["interval", "helper_timeout"])
@pytest.mark.parametrize("value", [0, -1.0, math.nan])
def test_settings_that_make_no_sense(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} must be more than 0"):
        MemorySettings(**{field: value})


def test_a_request_that_is_none(as_process: Any) -> None:
    async def body() -> None:
        pid = await CpuSup.start_link(LoadSettings(read=Gauge(load(1.0))))
        assert await otp.call(pid, "what") == ("error", ("unknown_request", "what"))

    as_process(body)
