"""Where and with what a run was made: kept with every result."""

import datetime
import importlib.metadata
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

from tests.conformance import node as nodejs

PACKAGES = (
    "trio",
    "msgspec",
    "httptools",
    "pykka",
    "otpylib",
    "mcp",
    "fastmcp",
    "uvicorn",
    "uvloop",
    "starlette",
    "pydantic",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """date: UTC, ISO 8601. memory_mib: installed. load_average: 1, 5 and 15 min at the start.

    loop_ns, socket_us, wake_us: the calibration, see `calibrate`.
    """

    date: str
    commit: str
    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    erlang: str
    packages: dict[str, str]
    load_average: tuple[float, float, float]
    node: str
    loop_ns: float
    socket_us: float
    wake_us: float

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "not found"
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _erlang() -> str:
    version = 'io:format("OTP ~s, erts ~s", [erlang:system_info(K) || K <- [otp_release, version]])'
    return _output("erl", "-noshell", "-eval", f"{version}, halt().")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def calibrate() -> tuple[float, float, float]:
    """How fast the machine is, so that results of two machines can be told apart: nanoseconds for a turn
    of an empty loop in Python; microseconds to send 250 bytes through a socket pair and receive them,
    two system calls; and microseconds of processor time for the same when the bytes come back from a
    process on another core, and this one sleeps until then. The best of several, since nothing makes it
    faster; of the last the median, since a process that happens not to be put to sleep pays nothing.
    """
    loop, pair = [], []
    ours, theirs = socket.socketpair()
    data = bytes(250)
    with ours, theirs:
        for _ in range(20):
            began = perf_counter()
            for _ in range(200_000):
                pass
            loop.append((perf_counter() - began) / 200_000 * 1e9)
            began = perf_counter()
            for _ in range(5_000):
                ours.send(data)
                theirs.recv(250)
            pair.append((perf_counter() - began) / 5_000 * 1e6)
    return min(loop), min(pair), _wake(data)


_ECHO = """
import socket, sys
peer = socket.socket(fileno=int(sys.argv[1]))
while data := peer.recv(4096):
    peer.send(data)
"""


def _wake(data: bytes) -> float:
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        echo = subprocess.Popen(
            (sys.executable, "-c", _ECHO, str(theirs.fileno())), pass_fds=(theirs.fileno(),)
        )
        with echo:
            theirs.close()
            os.sched_setaffinity(echo.pid, cores[-1:])
            os.sched_setaffinity(0, cores[:1])
            try:
                took = []
                for _ in range(20):
                    began = process_time()
                    for _ in range(500):
                        ours.send(data)
                        ours.recv(4096)
                    took.append((process_time() - began) / 500 * 1e6)
            finally:
                os.sched_setaffinity(0, cores)
                ours.shutdown(socket.SHUT_WR)
    return statistics.median(took)


def _node() -> str:
    try:
        return _output(str(nodejs.node()), "--version")
    except nodejs.NodeMissing:
        return "not found"


def describe() -> Machine:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    changed = _output("git", "status", "--porcelain", "--", "supervisors", "erlmcp_py")
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    loop_ns, socket_us, wake_us = calibrate()
    return Machine(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        commit=commit + (" and changes not committed" if changed not in ("", "unknown") else ""),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_mib=pages // 2**20,
        kernel=f"Linux {platform.release().partition('-')[0]}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        erlang=_erlang(),
        packages={package: _version(package) for package in PACKAGES},
        load_average=os.getloadavg(),
        node=_node(),
        loop_ns=loop_ns,
        socket_us=socket_us,
        wake_us=wake_us,
    )
