"""Is everything here that a run needs? Said before anything is measured."""

import importlib.util
import resource
import shutil
import sys
from pathlib import Path

from tests.conformance import node as nodejs

_NODE = ("erlmcp-node",)
_RIVALS = ("erlmcp-node", "mcp", "fastmcp", "uvloop", "node")
NEEDS = {
    "kernel": ("escript", "pykka", "otpylib"),
    "scale": ("escript",),
    "http": _RIVALS,
    "stdio": _RIVALS,
    "ways": _RIVALS,
    "sustained": _NODE,
    "idle": _RIVALS,
    "flat": _NODE,
    "workers": _NODE,
    "client": ("erlmcp-node", "mcp", "uvloop"),
    "gateway": _NODE,
    "work": (),
    "rest": ("erlmcp-node", "mcp", "uvloop"),
}
OPEN_FILES = 10_100
"""Sockets of the largest group that needs a certain number, with room."""


def raise_open_files() -> bool:
    """Lift the limit of open files as far as it goes, for this process and its children; False if that is
    not far enough. Many systems start a shell with 1,024.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard == resource.RLIM_INFINITY or hard >= OPEN_FILES


def missing(groups: list[str]) -> list[str]:
    """One line for everything that is not there, each saying how to get it."""
    needed = {need for group in groups for need in NEEDS[group]}
    lines = []
    if "escript" in needed and shutil.which("escript") is None:
        lines.append("Erlang is not on PATH (no `escript`); on Debian: apt-get install erlang-base")
    if "erlmcp-node" in needed and not Path(sys.executable).with_name("erlmcp-node").exists():
        lines.append(
            f"erlmcp-node is not installed beside {sys.executable}; `make bench` installs it"
        )
    lines += [
        f"the Python package {package} is not installed; `make bench` installs it"
        for package in ("pykka", "otpylib", "mcp", "fastmcp", "uvloop")
        if package in needed and importlib.util.find_spec(package) is None
    ]
    if "node" in needed:
        try:
            nodejs.node()
        except nodejs.NodeMissing:
            lines.append("there is no Node.js 22 or newer; `make bench` installs it")
    if not raise_open_files() and {"flat", "work"} & {*groups}:
        lines.append(f"the limit of open files is below {OPEN_FILES:,} (ulimit -Hn) and fixed")
    return lines
