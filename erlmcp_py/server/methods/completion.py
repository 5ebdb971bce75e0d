"""`completion/complete`."""

from __future__ import annotations

from erlmcp_py.protocol.completion import CompleteParams, CompleteResult, Completion
from erlmcp_py.protocol.errors import refused
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.refusals import INVALID_PARAMS
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call, with_context
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import advertised
from erlmcp_py.server.methods.table import Methods, in_both
from erlmcp_py.server.results import completion_result
from erlmcp_py.server.scope import Scope


def _complete(host: Host, request: Request, scope: Scope) -> Result | Call:
    advertised(host.server.completions, request)
    params = params_as(request, CompleteParams)
    try:
        definition = host.server.find_completion(params)
    except KeyError as missing:
        raise refused(
            INVALID_PARAMS, f"Cannot complete for {missing.args[0]!r}: no such prompt or template"
        ) from None
    if definition is None:
        return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
    given = dict(params.context.arguments) if params.context else {}
    values = (params.argument.value, given)
    return with_context(
        host,
        request,
        scope,
        Call(
            "completion",
            f"{definition.ref} {definition.argument}",
            definition.handler,
            {
                parameter.name: value
                for parameter, value in zip(definition.handler.parameters, values, strict=False)
            },
            completion_result,
        ),
    )


METHODS: Methods = in_both({"completion/complete": _complete})
