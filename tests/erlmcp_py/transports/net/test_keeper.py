"""Certificates over days, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.transports.net.settings import TlsSettings
from erlmcp_py.transports.net.tls import keeper
from erlmcp_py.transports.net.tls.credentials import Credentials
from erlmcp_py.transports.net.tls.keeper import CHECK_INTERVAL, CertificateKeeper
from supervisors import Runtime, alarm_handler, spawn, stop, whereis
from tests.erlmcp_py.transports.net.certificates import Authority
from tests.erlmcp_py.transports.node import kill

ALARM = ("certificate_expires", "http")


class Files:
    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.certificate, self.key = directory / "node.pem", directory / "node.key"
        settings = TlsSettings(certificate=str(self.certificate), key=str(self.key))
        self.credentials = Credentials(settings)

    def issue(self, name: str, days: float) -> None:
        self.authority.issue(self.certificate, self.key, name, days=days)

    @property
    def subject(self) -> str:
        assert self.credentials.loaded is not None
        return self.credentials.loaded.subject


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@asynccontextmanager
async def kept(files: Files) -> AsyncIterator[None]:
    files.credentials.load()
    async with Runtime():
        started = trio.Event()

        async def top() -> None:
            await alarm_handler.start_link()
            await CertificateKeeper.start_link("http", files.credentials, name="keeper")
            started.set()
            await trio.sleep_forever()

        spawn(top)
        await started.wait()
        yield


async def passes(seconds: float = CHECK_INTERVAL + 1) -> None:
    """Let time go by; what a thread does then takes none of it."""
    for _ in range(20):
        await trio.sleep(seconds / 20)
        await trio.to_thread.run_sync(lambda: None)


async def alarms() -> dict[Any, str]:
    return dict(await alarm_handler.get_alarms())


async def test_files_that_have_changed_are_noticed(files: Files, autojump_clock: Any) -> None:
    files.issue("first", 365)
    async with kept(files):
        await passes()
        assert files.subject == "CN=first"
        files.issue("second", 365)
        await passes()
        assert files.subject == "CN=second"
        files.key.write_bytes(b"half")
        await passes()
        assert files.subject == "CN=second"
        files.issue("third", 365)
        await passes()
        assert files.subject == "CN=third"


async def test_an_alarm_thirty_days_before_the_end(files: Files, autojump_clock: Any) -> None:
    files.issue("node", 31)
    async with kept(files):
        await passes()
        assert await alarms() == {}
        files.issue("node", 29)
        await passes(60)
        day = f"{datetime.now(UTC) + timedelta(days=29):%Y-%m-%d}"
        assert await alarms() == {ALARM: f"the certificate of CN=node expires on {day}"}
        assert len(await alarm_handler.get_alarms()) == 1
        files.issue("node", 365)
        await passes()
        assert await alarms() == {}


async def test_it_says_when_the_day_has_come(
    files: Files, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.issue("node", 10)
    async with kept(files):
        await passes()
        assert "expires on" in (await alarms())[ALARM]

        class Later(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.now(tz) + timedelta(days=11)

        monkeypatch.setattr(keeper, "datetime", Later)
        await passes()
        assert "has expired on" in (await alarms())[ALARM]
        assert len(await alarm_handler.get_alarms()) == 1


async def test_a_restarted_alarm_handler_is_told_again(files: Files, autojump_clock: Any) -> None:
    files.issue("node", 10)
    async with Runtime():
        files.credentials.load()
        started = trio.Event()

        async def top() -> None:
            await CertificateKeeper.start_link("http", files.credentials, name="keeper")
            started.set()
            await trio.sleep_forever()

        async def handler() -> None:
            await alarm_handler.start_link()
            await trio.sleep_forever()

        spawn(top)
        await started.wait()
        await passes()
        for _ in range(2):
            spawn(handler)
            await passes()
            assert list(await alarms()) == [ALARM]
            await kill(whereis(alarm_handler.NAME))


async def test_the_alarm_goes_with_the_listener(files: Files, autojump_clock: Any) -> None:
    files.issue("node", 10)
    async with kept(files):
        await passes()
        assert list(await alarms()) == [ALARM]
        await stop("keeper")
        assert await alarms() == {}
