"""Tokens on disks that are full, in directories that are none, in files of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from erlmcp_py.auth.client import (
    AuthorizationError,
    FileStore,
)


def files(directory: Path) -> set[Path]:
    return set(directory.iterdir())


async def test_a_store_that_cannot_be_written_says_so_and_what_it_had_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"old-secret")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AuthorizationError, match=r"cannot be written: .*No space left") as caught:
        await store.save("x", b"new-secret")
    assert "secret" not in str(caught.value)
    monkeypatch.undo()
    assert await store.load("x") == b"old-secret"
    assert len(files(tmp_path)) == 1


async def test_a_directory_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileStore(tmp_path / "file" / "tokens")
    with pytest.raises(AuthorizationError, match=r"cannot be written: .*Not a directory"):
        await store.save("x", b"secret")
    with pytest.raises(AuthorizationError, match=r"cannot be read: .*Not a directory"):
        await store.load("x")


async def test_readers_of_a_file_that_is_replaced_see_the_old_or_the_new(tmp_path: Path) -> None:
    values = [bytes([65 + number]) * 50_000 for number in range(4)]
    await FileStore(tmp_path).save("x", values[0])
    ended = trio.Event()

    async def write(value: bytes) -> None:
        for _ in range(10):
            await FileStore(tmp_path).save("x", value)

    async def read() -> None:
        while not ended.is_set():
            assert await FileStore(tmp_path).load("x") in values

    async with trio.open_nursery() as readers:
        readers.start_soon(read)
        async with trio.open_nursery() as writers:
            for value in values:
                writers.start_soon(write, value)
        ended.set()
    assert len(files(tmp_path)) == 1


async def test_a_key_of_another_file_is_not_taken(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"one")
    (file,) = files(tmp_path)
    await store.save("y", b"two")
    (other,) = files(tmp_path) - {file}
    other.replace(file)
    assert await store.load("x") is None


async def test_a_file_is_nobody_elses_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def look(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        await FileStore(tmp_path / "new").save("x", b"secret")
    finally:
        os.umask(before)
    assert modes == [0o600]
