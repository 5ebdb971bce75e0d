"""How a client comes by its tokens (MCP, authorization): OAuth 2.1 with discovery, for people, programs,
enterprises and workloads.

`session` and what is below it are pure: flows that yield `actions` and are told what came of them.
`authorizer` carries them out. A client takes it as

    Client("https://example.com/mcp", authorizer=OAuth(AuthorizationCode(Loopback())))
"""

from erlmcp_py.auth.client.authorizer import Authorizations
from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.plans import (
    AuthorizationCode,
    ClientCredentials,
    Enterprise,
    IdentityProvider,
    Plan,
    PrivateKey,
    Registered,
    Workload,
)
from erlmcp_py.auth.client.receiver import Headless, Loopback
from erlmcp_py.auth.client.store import FileStore, MemoryStore, Store

__all__ = [
    "AuthorizationCode",
    "AuthorizationError",
    "Authorizations",
    "ClientCredentials",
    "Enterprise",
    "FileStore",
    "Headless",
    "IdentityProvider",
    "Loopback",
    "MemoryStore",
    "Plan",
    "PrivateKey",
    "Registered",
    "Store",
    "Workload",
]
