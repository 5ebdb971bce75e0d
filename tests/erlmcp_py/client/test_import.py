"""What a program does not load that has a client: forty of them may be started at once."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import erlmcp_py.client
print(*sys.modules)
"""
OTHERS = {
    "click",
    "cryptography",
    "httptools",
    "httpx2",
    "jsonschema_rs",
    "jwt",
    "rich",
    "websockets",
    "yaml",
}
OURS = (
    "erlmcp_py.auth.",
    "erlmcp_py.cli.",
    "erlmcp_py.client.http.pool.",
    "erlmcp_py.client.skills.",
    "erlmcp_py.config.",
    "erlmcp_py.ports.",
    "erlmcp_py.server.",
    "erlmcp_py.transports.net.",
    "erlmcp_py.transports.tcp.",
    "erlmcp_py.tree.",
    "supervisors._application.",
    "supervisors._gen_event.",
    "supervisors._gen_statem.",
    "supervisors._pg.",
    "supervisors._registry.",
    "supervisors._tasks.",
    "supervisors.distribution.",
)


def test_a_client_starts_without_what_it_may_never_need() -> None:
    result = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd="."
    )
    loaded = set(result.stdout.split())
    assert "erlmcp_py.client.client" in loaded
    assert not OTHERS & {name.partition(".")[0] for name in loaded}
    assert not [name for name in loaded if f"{name}.".startswith(OURS)]


def test_what_is_loaded_later_is_there() -> None:
    import erlmcp_py.client
    from erlmcp_py.client import authorization

    assert erlmcp_py.client.OAuth is authorization.OAuth
    assert erlmcp_py.client.NotAuthorized is authorization.NotAuthorized
    for name in erlmcp_py.client.__all__:
        getattr(erlmcp_py.client, name)
    assert not hasattr(erlmcp_py.client, "no_such_name")
