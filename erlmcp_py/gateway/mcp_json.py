"""A file with `mcpServers`, as desktop clients have it, and the `[upstreams]` tables that it stands for.

Of an entry `command`, `args`, `env`, `cwd`, `url` (`serverUrl`) and `headers` count, and `type` as far as it
must fit them; what else desktop clients write there is theirs. In all of these texts ``${VAR}`` and
``${env:VAR}`` are a variable of the environment, ``${VAR:-TEXT}`` with what stands for one that is not there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from erlmcp_py.config import ALL, ConfigError

Table = dict[str, Any]

_KEYS: Final = ("command", "args", "env", "cwd", "url", "headers")
_PROGRAM: Final = frozenset({"stdio"})
_HTTP: Final = frozenset({"http", "sse", "streamable-http", "streamable_http", "streamableHttp"})
_VARIABLE: Final = re.compile(r"\$\{(?:env:)?([A-Za-z_]\w*)(?::-([^}]*))?\}")
_ASKED: Final = re.compile(r"\$\{[A-Za-z]+:(?!-)[^}]*\}")
"""What some clients ask a person for, or take from their editor: nobody here can say it."""


class _Twice(ValueError):
    """A key of an object in JSON, of which nobody could say which one counts."""


class _Missing(Exception):
    """Something that cannot be filled in; the message says what."""


def _once(pairs: list[tuple[str, Any]]) -> Table:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in keys if keys.count(key) > 1))
    return found


def read_mcp_json(file: str, environ: Mapping[str, str] = os.environ) -> dict[str, Table]:
    """The tables of all entries that are not `disabled`. Names are made fit for a path. Raises
    `ConfigError`.
    """
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except _Twice as error:
        raise ConfigError(f"{file}: {str(error)!r} is there twice in one object") from None
    except ValueError as error:
        raise ConfigError(f"{file}: not JSON: {error}") from error
    entries = document.get("mcpServers") if isinstance(document, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise ConfigError(f'{file}: there is no "mcpServers" with a server or more in it')
    tables: dict[str, Table] = {}
    for name, entry in entries.items():
        where = f"{file}: mcpServers.{name}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: must be an object")
        if entry.get("disabled") is True:
            continue
        fit = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:64]
        if not fit or fit in tables or fit in (ALL, "ws"):
            raise ConfigError(f"{where}: would be served at /mcp/{fit}, which is taken; rename it")
        tables[fit] = _table(where, entry, environ)
    return tables


def _table(where: str, entry: Table, environ: Mapping[str, str]) -> Table:
    if "serverUrl" in entry and "url" not in entry:
        entry = {**entry, "url": entry["serverUrl"]}
    kind = entry.get("type")
    if kind is not None:
        if kind not in _PROGRAM | _HTTP:
            known = ", ".join(sorted(_PROGRAM | _HTTP))
            raise ConfigError(f"{where}.type: {kind!r} is none that is known here: {known}")
        needed = "command" if kind in _PROGRAM else "url"
        if needed not in entry:
            raise ConfigError(f"{where}: type {kind!r} needs a {needed}")
    try:
        return {key: _expanded(entry[key], environ) for key in _KEYS if key in entry}
    except _Missing as missing:
        raise ConfigError(f"{where}: {missing}") from None


def _expanded(value: Any, environ: Mapping[str, str]) -> Any:
    """With the values of variables, in texts at every depth."""
    if isinstance(value, dict):
        return {key: _expanded(each, environ) for key, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each, environ) for each in value]
    return _filled(value, environ) if isinstance(value, str) else value


def _filled(text: str, environ: Mapping[str, str]) -> str:
    def found(match: re.Match[str]) -> str:
        name, default = match.groups()
        value = environ.get(name, default)
        if value is None:
            raise _Missing(f"the environment has no {name}; set it, or write ${{{name}:-TEXT}}")
        return value

    unknown = _ASKED.search(_VARIABLE.sub("", text))
    if unknown is not None:
        raise _Missing(f"nobody here can say what {unknown[0]} is; write the value or ${{VAR}}")
    return _VARIABLE.sub(found, text)
