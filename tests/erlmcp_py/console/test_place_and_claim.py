from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from erlmcp_py.config import Config, ConfigError, load
from erlmcp_py.console import place
from erlmcp_py.console.claim import NodeRunning, answers, claim, is_held
from erlmcp_py.console.client import Client, NoSuchNode
from erlmcp_py.console.place import PlaceError
from erlmcp_py.node import run_node
from erlmcp_py.workers.parent import run_parent


def test_the_directory_is_found_in_the_environment(tmp_path: Path) -> None:
    chosen = {place.DIRECTORY_VARIABLE: "/a/b", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert place.default_directory(chosen) == Path("/a/b")
    assert place.default_directory({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/erlmcp")
    assert place.default_directory({}).name == f"erlmcp-{os.getuid()}"


def test_where_nothing_can_be_written_the_directory_is_to_be_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(PlaceError, match=f"choose one .* with {place.DIRECTORY_VARIABLE}"):
        place.default_directory({})
    monkeypatch.delenv(place.DIRECTORY_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(NoSuchNode, match="no temporary directory"):
        Client.connect()
    with pytest.raises(ConfigError, match="no temporary directory"):
        run_node(Config(), lambda _: None)
    with pytest.raises(ConfigError, match="no temporary directory"):
        run_node(Config(), lambda _: None, replace=True)
    with pytest.raises(ConfigError, match="no temporary directory"):
        run_parent(load(None, options={"node": {"workers": 2}}), lambda _: None)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "x" * 65, "é"])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="is no node name"):
        claim(name, tmp_path / "run")


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="too long for a Unix socket"):
        claim("demo", tmp_path / ("d" * 100))


def test_socket_and_directory_are_for_their_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "run"
    with claim("demo", directory) as held, held.listen():
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(held.path.stat().st_mode) == 0o600
        assert answers(held.path)
        assert place.names(directory) == ["demo"]
    assert place.names(directory) == []


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    directory.chmod(0o755)
    with pytest.raises(PlaceError, match=r"open to others \(mode 0755\): chmod 700"):
        claim("demo", directory)


def test_a_file_or_link_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(real)
    with pytest.raises(PlaceError, match="is not a directory"):
        claim("demo", link)


def test_a_second_node_of_the_name_is_refused_and_the_first_keeps_it(tmp_path: Path) -> None:
    with claim("demo", tmp_path / "run") as held, held.listen():
        with pytest.raises(NodeRunning, match=f"running already .pid {os.getpid()}"):
            claim("demo", tmp_path / "run")
        assert answers(held.path)
        with claim("other", tmp_path / "run"):
            assert is_held("other", tmp_path / "run")
        assert not is_held("other", tmp_path / "run")
    with claim("demo", tmp_path / "run"):
        pass


def test_what_a_dead_node_left_is_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    script = (
        "import os, sys; from pathlib import Path;"
        "from erlmcp_py.console.claim import claim;"
        "held = claim('demo', Path(sys.argv[1])); listener = held.listen(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(directory)], check=False)
    stale = directory / "demo.sock"
    assert stale.is_socket()
    assert not answers(stale)

    with claim("demo", directory) as held, held.listen():
        assert answers(stale)


def test_a_living_socket_without_a_lock_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(directory / "demo.sock"))
        stranger.listen()
        with pytest.raises(NodeRunning, match="without holding its lock"):
            claim("demo", directory)
        assert answers(directory / "demo.sock")


def test_listening_again_takes_the_socket_over(tmp_path: Path) -> None:
    with claim("demo", tmp_path / "run") as held:
        first = held.listen()
        first.close()
        assert not answers(held.path)
        with held.listen():
            assert answers(held.path)


def test_a_released_claim_cannot_listen(tmp_path: Path) -> None:
    held = claim("demo", tmp_path / "run")
    held.release()
    held.release()
    with pytest.raises(RuntimeError, match="was released"):
        held.listen()


def test_a_directory_of_somebody_else_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `su`, XDG_RUNTIME_DIR is often that of the other user."""

    def lstat(_: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")  # root may enter every directory

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(PlaceError, match="cannot be entered by uid"):
        place.check_directory(tmp_path)


def test_a_directory_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "n.lock").mkdir()  # whoever runs the tests, this cannot be opened for writing
    with pytest.raises(
        PlaceError, match=r"cannot write in .*: Is a directory; choose another with"
    ):
        claim("n", tmp_path)


def test_a_full_disk_is_told_in_a_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(PlaceError, match=r"cannot write in .*: File too large"):
            claim("n", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    claim("n", tmp_path).release()
