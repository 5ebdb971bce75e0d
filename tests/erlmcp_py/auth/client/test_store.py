"""Where tokens are kept: nobody else can read them, and nothing half-written is believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from erlmcp_py.auth.client import AuthorizationError, FileStore, MemoryStore
from erlmcp_py.auth.client.store import MAX_KEPT


def only(directory: Path) -> Path:
    (file,) = directory.iterdir()
    return file


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_what_is_saved_is_loaded(kind: str, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else FileStore(tmp_path / "a" / "b")
    assert await store.load("x") is None
    await store.save("x", b"\x00one")
    await store.save("x", b"two")
    await store.save("y", b"three")
    assert await store.load("x") == b"two"
    await store.save("x", None)
    await store.save("x", None)
    assert await store.load("x") is None
    assert await store.load("y") == b"three"


async def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await FileStore(tmp_path / "kept").save("x", b"secret")
    finally:
        os.umask(before)
    file = only(tmp_path / "kept")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"secret")
    file = only(tmp_path)
    file.chmod(0o640)
    with pytest.raises(AuthorizationError, match="0640"):
        await store.load("x")


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "kept")
    await store.save("x", b"secret")
    file = only(tmp_path / "kept")
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuthorizationError, match="cannot be read"):
        await store.load("x")


async def test_a_damaged_file_is_said_to_be_one(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.save("x", b"secret")
    file = only(tmp_path)
    file.write_bytes(b"{")
    with pytest.raises(AuthorizationError, match="cannot be read"):
        await store.load("x")


async def test_memory_is_bounded() -> None:
    store = MemoryStore()
    for number in range(MAX_KEPT + 1):
        await store.save(str(number), b"x")
    assert await store.load("0") is None
    assert await store.load("1") == b"x"
