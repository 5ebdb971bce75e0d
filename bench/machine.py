"""Where and with what a run was made: kept with every result."""

import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

PACKAGES = (
    "trio",
    "msgspec",
    "httptools",
    "pykka",
    "otpylib",
    "mcp",
    "uvicorn",
    "starlette",
    "pydantic",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """date: UTC, ISO 8601. memory_mib: installed. load_average: 1, 5 and 15 min at the start."""

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


def describe() -> Machine:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    changed = _output("git", "status", "--porcelain", "--", "supervisors", "erlmcp_py")
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
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
    )
