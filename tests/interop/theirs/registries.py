"""Servers as people get them from the registries of npm and PyPI, written down as desktop clients have them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance import node as nodejs
from tests.interop.driving import has_node, missing

SCOPE = "@modelcontextprotocol"
NOTE = "A note.\n"


def has_servers() -> None:
    """Skip or fail without them."""
    has_node()
    for package in ("mcp_server_git", "mcp_server_time"):
        if importlib.util.find_spec(package) is None:
            missing(f"{package} is not installed: it is in the extra `conformance`")


def of_npm(name: str, *arguments: str, **env: str) -> dict[str, Any]:
    """The entry of one of npm."""
    program = nodejs.package(f"{SCOPE}/{name}") / "dist" / "index.js"
    return {"command": str(nodejs.node()), "args": [str(program), *arguments], "env": env}


def of_pypi(module: str, *arguments: str) -> dict[str, Any]:
    """The entry of one of PyPI."""
    return {"command": sys.executable, "args": ["-W", "ignore", "-m", module, *arguments]}


def entries(home: Path) -> dict[str, dict[str, Any]]:
    """The entries of all, with something of their own below `home`."""
    files, repository = home / "files", home / "repository"
    files.mkdir()
    (files / "note.txt").write_text(NOTE)
    commit = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--allow-empty"]
    for command in (
        ["init", "-q", str(repository)],
        ["-C", str(repository), *commit, "-qm", "Begin"],
    ):
        subprocess.run(["git", *command], check=True)
    return {
        "everything": of_npm("server-everything"),
        "filesystem": of_npm("server-filesystem", str(files)),
        "memory": of_npm("server-memory", MEMORY_FILE_PATH=str(home / "memory.jsonl")),
        "time": of_pypi("mcp_server_time", "--local-timezone", "UTC"),
        "git": of_pypi("mcp_server_git", "--repository", str(repository)),
    }


def write_mcp_json(home: Path, servers: dict[str, dict[str, Any]]) -> Path:
    """A file with `mcpServers`."""
    file = home / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    return file
