"""A file that a desktop client has for its servers, and the `[upstreams]` tables that it stands for.

The names of keys and variables are those that the clients document: Claude Desktop, Claude Code, VS Code,
Copilot, Cursor, Windsurf, Cline, Roo Code, Gemini CLI, Zed; docs/gateway.md has them in a table. Nothing is
left out in silence: a key either counts, or is about the client and its user only, or is refused.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from erlmcp_py.config import ALL, ConfigError
from erlmcp_py.gateway.jsonc import Twice, read_jsonc
from erlmcp_py.gateway.mcp_variables import Unknown, Variables, read_env_file

Table = dict[str, Any]

_SECTIONS: Final = ("mcpServers", "servers", "context_servers")
_PLAIN: Final = ("command", "args", "env", "cwd", "headers")
_URLS: Final = ("url", "serverUrl", "httpUrl")
_ALLOWED: Final = ("tools", "includeTools")
_DENIED: Final = ("excludeTools", "disabledTools")
_OURS: Final = (*_PLAIN, "envFile", *_URLS, "type", "disabled", "enabled", *_ALLOWED, *_DENIED)
_THEIRS: Final = frozenset(
    {"alwaysAllow", "autoApprove", "trust", "description", "name", "icon", "dev", "watchPaths"}
    | {"alwaysLoad", "gallery", "version", "sandbox"}
)
"""What a client shows, or whether it asks its user first: no matter of the server's."""
_PROGRAM: Final = frozenset({"stdio", "local"})
_HTTP: Final = frozenset({"http", "sse", "streamable-http", "streamable_http", "streamableHttp"})
_AUTH: Final = "leave it out, and say it in [upstreams.{}.auth] of a file for --config"
_REFUSED: Final = {
    "timeout": "is seconds to some clients and milliseconds to others; leave it out, and say it in "
    "[upstreams.{}] of a file for --config, in seconds",
    "oauth": _AUTH,
    "auth": _AUTH,
    "authProviderType": _AUTH,
    "headersHelper": "no program is run for headers; write them into headers, or " + _AUTH,
    "sandboxEnabled": "a node runs programs as they are; write the sandbox into command, or leave it out",
    "settings": "is for an extension of the editor, which a node has not; write its command",
}


def read_mcp_json(file: str, environ: Mapping[str, str] = os.environ) -> dict[str, Table]:
    """The tables of all entries that are in use. Names are made fit for a path. Raises `ConfigError`."""
    section, entries = _entries(file)
    variables = Variables(file, environ)
    tables: dict[str, Table] = {}
    for name, entry in entries.items():
        where = f"{file}: {section}.{name}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: must be an object")
        if not _is_used(where, entry):
            continue
        fit = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:64]
        if not fit or fit in tables or fit in (ALL, "ws"):
            raise ConfigError(f"{where}: would be served at /mcp/{fit}, which is taken; rename it")
        tables[fit] = _table(where, fit, entry, variables)
    return tables


def _entries(file: str) -> tuple[str, Table]:
    """What the servers are under, and the servers."""
    try:
        document = read_jsonc(Path(file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except Twice as error:
        raise ConfigError(f"{file}: {str(error)!r} is there twice in one object") from None
    except ValueError as error:
        raise ConfigError(f"{file}: not JSON: {error}") from error
    found = [key for key in _SECTIONS if isinstance(document, dict) and key in document]
    if len(found) > 1:
        raise ConfigError(f"{file}: has both {found[0]} and {found[1]}; leave one of them")
    if not found or not isinstance(document[found[0]], dict) or not document[found[0]]:
        known = ", ".join(f'"{key}"' for key in _SECTIONS)
        raise ConfigError(f"{file}: there is none of {known} with a server or more in it")
    entries: Table = document[found[0]]
    choice = document.get("mcp")
    if isinstance(choice, dict):  # Gemini CLI: which of them are in use
        allowed, excluded = choice.get("allowed", entries), choice.get("excluded", ())
        for key, names in (("allowed", allowed), ("excluded", excluded)):
            if not isinstance(names, (list, tuple, dict)):
                raise ConfigError(f"{file}: mcp.{key}: must be a list of names of servers")
        entries = {key: each for key, each in entries.items() if key in allowed}
        entries = {key: each for key, each in entries.items() if key not in excluded}
    return found[0], entries


def _is_used(where: str, entry: Table) -> bool:
    for key in ("disabled", "enabled"):
        if not isinstance(entry.get(key, False), bool):
            raise ConfigError(f"{where}.{key}: must be true or false")
    return entry.get("disabled", False) is False and entry.get("enabled", True) is True


def _table(where: str, name: str, entry: Table, variables: Variables) -> Table:
    _check_keys(where, name, entry)
    table: Table = {key: entry[key] for key in _PLAIN if key in entry}
    if isinstance(entry.get("env"), dict):
        pairs = entry["env"].items()
        table["env"] = {key: _variable(f"{where}.env.{key}", each) for key, each in pairs}
    urls = [key for key in _URLS if key in entry]
    if len(urls) > 1:
        raise ConfigError(f"{where}: has both {urls[0]} and {urls[1]}; leave one of them")
    if urls:
        table["url"] = entry[urls[0]]
    _check_type(where, entry, table)
    table = {key: _filled(f"{where}.{key}", value, variables) for key, value in table.items()}
    if "envFile" in entry:
        path = _filled(f"{where}.envFile", entry["envFile"], variables)
        table["env"] = _from_file(f"{where}.envFile", path) | table.get("env", {})
    allow = [_tools(where, entry, key) for key in _ALLOWED if key in entry]
    if len(allow) > 1:
        raise ConfigError(f"{where}: has both {_ALLOWED[0]} and {_ALLOWED[1]}; leave one of them")
    deny = [each for key in _DENIED if key in entry for each in _tools(where, entry, key)]
    return table | ({"allow": allow[0]} if allow else {}) | ({"deny": deny} if deny else {})


def _check_keys(where: str, name: str, entry: Table) -> None:
    for key, value in entry.items():
        if key in _REFUSED and value not in (False, None, {}, []):
            raise ConfigError(f"{where}.{key}: {_REFUSED[key].format(name)}")
        if key == "source" and value != "custom":
            raise ConfigError(f"{where}.source: {value!r} is none that is known here: custom")
        if key not in {*_OURS, *_THEIRS, *_REFUSED, "source"}:
            raise ConfigError(f"{where}.{key}: no such key; known are {', '.join(_OURS)}")


def _check_type(where: str, entry: Table, table: Table) -> None:
    kind = entry.get("type")
    if kind is None:
        return
    if kind not in _PROGRAM | _HTTP:
        known = ", ".join(sorted(_PROGRAM | _HTTP))
        raise ConfigError(f"{where}.type: {kind!r} is none that is known here: {known}")
    needed = "command" if kind in _PROGRAM else "url"
    if needed not in table:
        raise ConfigError(f"{where}: type {kind!r} needs a {needed}")


def _filled(where: str, value: Any, variables: Variables) -> Any:
    """With the values of variables, in texts at every depth."""
    if isinstance(value, dict):
        return {key: _filled(f"{where}.{key}", each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(where, each, variables) for each in value]
    if not isinstance(value, str):
        return value
    try:
        return variables.fill(value)
    except Unknown as unknown:
        raise ConfigError(f"{where}: {unknown}") from None


def _variable(where: str, value: Any) -> Any:
    """VS Code has numbers as texts. What Gemini CLI fills in as well is left to nobody's guess."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"\$[A-Za-z_]\w*", value):
        text = "$NAME is a variable to some clients and a text to others; write ${NAME}"
        raise ConfigError(f"{where}: {text}")
    return value


def _from_file(where: str, path: Any) -> dict[str, str]:
    if not isinstance(path, str):
        raise ConfigError(f"{where}: must be the path of a file")
    try:
        return read_env_file(path)
    except Unknown as unknown:
        raise ConfigError(f"{where}: {path}: {unknown}") from None


def _tools(where: str, entry: Table, key: str) -> list[str]:
    """Patterns of the tools that are named; "*" alone is all."""
    names = entry[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{where}.{key}: must be a list of names of tools")
    if not names and key in _ALLOWED:
        raise ConfigError(f"{where}.{key}: names no tool; leave it out for all, or say disabled")
    return [name if name == "*" else glob.escape(name) for name in names]
