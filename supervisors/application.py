"""Applications: components that are started and stopped as a whole (OTP: application, A1-A5).

Subclass `supervisors.Application`; `docs/applications.md` is the chapter.
"""

from ._application.behaviour import Application
from ._application.client import (
    ensure_all_started,
    get_all_env,
    get_application,
    get_env,
    get_supervisor,
    load,
    on_node_down,
    set_env,
    start,
    stop,
    stop_all,
    unload,
    which_applications,
)
from ._application.controller import ApplicationInfo
from ._application.errors import ApplicationError
from ._application.reports import ApplicationReport

__all__ = [
    "Application",
    "ApplicationError",
    "ApplicationInfo",
    "ApplicationReport",
    "ensure_all_started",
    "get_all_env",
    "get_application",
    "get_env",
    "get_supervisor",
    "load",
    "on_node_down",
    "set_env",
    "start",
    "stop",
    "stop_all",
    "unload",
    "which_applications",
]
