"""A real node with its upstreams, and what the operating system says of them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.upstreams.faults import PIPES, WEB, Kind

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = Path(__file__).parent / "programs"
ERAS: Final = {"ada": "modern", "bob": "legacy", "cyd": "modern", "dan": "legacy"}
"""Those on pipes to whom something is done, and what they speak."""
CALM: Final = "eve"
"""On pipes; nothing is done to it."""
AT_URL: Final = "web"
VICTIMS: Final[Mapping[str, Mapping[str, Kind]]] = {**dict.fromkeys(ERAS, PIPES), AT_URL: WEB}
NAMES: Final = (*VICTIMS, CALM)
TIMEOUT: Final = 4.0
"""Seconds that a call may take at an upstream."""
_STARTING: Final = 30.0
_ENDING: Final = 30.0

_SETTINGS: Final = {
    "timeout": TIMEOUT,
    "ping_interval": 1.0,
    "ping_timeout": 3.0,
    # Two that are never given up, two that are soon, as by default: calls to those are refused at once.
    "restarts": {"ada": 1000, "bob": 1000},
}
_FAILURE: Final = re.compile(
    "> (crash: .* ended with (error|throw) |.*reached_max_restart_intensity)"
)


class Violation(Exception):
    """Something that must not happen."""


class World:
    """Start it, and end it. directory: of this campaign alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = ""
        self._log = directory / "node.log"
        self._port = _free_port()
        self._web: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[str] | None = None

    # --- the node -----------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the node."""
        assert self._node is not None
        return self._node.pid

    def start(self) -> None:
        """The server at the address, and the node."""
        self.start_web()
        file = self.directory / "node.toml"
        file.write_text(self._configuration())
        command = [sys.executable, "-m", "tests.upstreams.node", "run", "--config", str(file)]
        with self._log.open("w") as log:
            self._node = subprocess.Popen(
                [*command, "--http", "127.0.0.1:0", "--name", f"upstreams-{os.getpid()}"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "ERLMCP__CONTROL__ENABLED": "false"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._node.stdout is not None
        told = ""
        for line in self._node.stdout:
            told += line
            found = re.search(r"(http://\S+)/mcp/", told)
            if found:
                self.url = f"{found[1]}/mcp"
            if "/health" in line and self.url:
                return
        raise Violation(f"the node does not start: {told}{self.last_words()}")

    def _configuration(self) -> str:
        tables = []
        for name in NAMES:
            where: dict[str, Any] = {"url": f"http://127.0.0.1:{self._port}/mcp"}
            if name != AT_URL:
                program = [sys.executable, "-IS", str(PROGRAMS / "pipes.py")]
                where = {"command": [*program, name, ERAS.get(name, "legacy"), str(self.directory)]}
            settings = {
                key: value.get(name) if isinstance(value, dict) else value
                for key, value in _SETTINGS.items()
            }
            lines = [
                f"{key} = {json.dumps(value)}"
                for key, value in {**where, **settings}.items()
                if value is not None
            ]
            tables.append("\n".join([f"[upstreams.{name}]", *lines]))
        return "\n\n".join(tables) + "\n"

    def end(self) -> None:
        """Stop the node in order. Raises Violation if it does not, or leaves something behind."""
        assert self._node is not None
        self._node.send_signal(signal.SIGTERM)
        try:
            code = self._node.wait(_ENDING)
        except subprocess.TimeoutExpired:
            raise Violation(f"the node does not end within {_ENDING:g} s") from None
        if code != 0:
            raise Violation(f"the node ended with {code}")
        if left := self.programs():
            raise Violation(f"the node is gone, and these are not: {left}")

    def clear(self) -> None:
        """Leave nothing behind, whatever happened."""
        for process in (self._node, self._web):
            if process is not None:
                process.kill()
                process.communicate()
        for pid in self.programs():
            os.kill(pid, signal.SIGKILL)

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def failures(self) -> list[str]:
        """Lines of its log that no fault of an upstream explains: exceptions, and supervisors that gave up."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [line for line in lines if _FAILURE.search(line)]

    # --- the server at an address ---------------------------------------------------------

    def start_web(self) -> None:
        """Start it, at the same address as before."""
        program = [sys.executable, "-IS", str(PROGRAMS / "web.py"), AT_URL, str(self._port)]
        self._web = subprocess.Popen([*program, str(self.directory)])
        deadline = time.monotonic() + _STARTING
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            if time.monotonic() > deadline:
                raise Violation("the server at an address does not start")
            time.sleep(0.005)

    def kill_web(self) -> None:
        """As the system's administrator would."""
        assert self._web is not None
        self._web.kill()
        self._web.wait()

    def signal_web(self, number: int) -> None:
        """Stop it, or let it go on."""
        assert self._web is not None
        self._web.send_signal(number)

    # --- what upstreams are told ------------------------------------------------------------

    def order(self, name: str, kind: str, amount: float) -> None:
        """For its next start."""
        (self.directory / f"{name}.{kind}").write_text(str(amount))

    # --- what there is ----------------------------------------------------------------------

    def programs(self) -> list[int]:
        """Pids of all that was started for upstreams on pipes, zombies aside."""
        marks = (os.fsencode(PROGRAMS / "pipes.py"), os.fsencode(self.directory))
        return [pid for pid, words in _commands() if all(mark in words for mark in marks)]

    def zombies(self) -> list[int]:
        """Processes of the node that have ended and that nobody has reaped."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if _state(int(pid)) == "Z"]

    def descriptors(self) -> Counter[str]:
        """Of the node, by what they are; without the connections kept to the server at an address, of
        which there are as many as were needed at once.
        """
        kept = _sockets_to(self._port)
        found: Counter[str] = Counter()
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = str(link.readlink())
            except OSError:
                continue  # closed meanwhile
            if target not in kept:
                found[re.sub(r":?\[?\d+\]?$", "", target)] += 1
        return found

    def resident(self) -> float:
        """MiB of the node."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _commands() -> Sequence[tuple[int, bytes]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((int(entry.name), (entry / "cmdline").read_bytes()))
            except OSError:
                continue  # ended meanwhile
    return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _sockets_to(port: int) -> frozenset[str]:
    """Sockets of this machine that are connected to a port of it, as /proc/PID/fd names them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return frozenset(f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
