"""Applications: components that are started and stopped as a whole (OTP: application, A1-A5).

    >>> import supervisors
    >>> from supervisors import Application, application
    >>> class Units(Application):
    ...     name = "units"
    ...     env = {"length": "metre"}
    >>> class Maps(Application):
    ...     name = "maps"
    ...     applications = (Units,)
    >>> async def main():
    ...     print(await application.ensure_all_started(Maps))
    ...     await application.set_env("units", "length", "mile")
    ...     print(application.get_env("units", "length"))
    ...     return await application.stop_all()
    >>> supervisors.run(main)
    ['units', 'maps']
    mile
    ['maps', 'units']

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
