"""What a node is told before it starts: typed, layered, and strict about every key.

Layers, each overriding the one before: the defaults below, a profile (``config/default.toml``
unless another is given), overlay files in the order given, environment variables named
``ERLMCP__SECTION__KEY``, and options of the command line. Tables merge key by key; lists and
values replace.

A misspelt key is the worst configuration error, because the node starts and quietly does what its
operator believes to have switched off. So every layer is checked on its own, before they are merged:
an unknown or ill-typed key is a `ConfigError` that names the file (or variable), the path of the key
and what would be right. The same holds for environment variables with the node's prefix.

`default.toml` repeats the defaults with a comment each; a test holds the two equal.

`values`, `sections`, `listeners`, `upstreams` and `whole` say what there is, `keys` which key was meant,
`wrong` what is the matter with a value, `together` what contradicts itself, `layers` reads it all.
"""

from erlmcp_py.config.layers import check, default_file, load
from erlmcp_py.config.listeners import (
    HttpConfig,
    HttpTlsConfig,
    StdioConfig,
    TcpConfig,
    TlsConfig,
    WebSocketConfig,
)
from erlmcp_py.config.sections import (
    CallsConfig,
    DrainConfig,
    HealthConfig,
    LogConfig,
    MailboxesConfig,
    OsMonConfig,
    ServerConfig,
    SessionsConfig,
    WatchdogConfig,
)
from erlmcp_py.config.together import check_served, check_together
from erlmcp_py.config.upstreams import ALL, AuthConfig, BreakerConfig, EnvReference, UpstreamConfig
from erlmcp_py.config.values import ConfigError
from erlmcp_py.config.whole import Config

__all__ = [
    "ALL",
    "AuthConfig",
    "BreakerConfig",
    "CallsConfig",
    "Config",
    "ConfigError",
    "DrainConfig",
    "EnvReference",
    "HealthConfig",
    "HttpConfig",
    "HttpTlsConfig",
    "LogConfig",
    "MailboxesConfig",
    "OsMonConfig",
    "ServerConfig",
    "SessionsConfig",
    "StdioConfig",
    "TcpConfig",
    "TlsConfig",
    "UpstreamConfig",
    "WatchdogConfig",
    "WebSocketConfig",
    "check",
    "check_served",
    "check_together",
    "default_file",
    "load",
]
