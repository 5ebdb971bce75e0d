"""Addresses of resources, and templates of them (RFC 6570) read backwards."""

from erlmcp_py.server.uri.address import MAX_LENGTH, check_uri, is_template
from erlmcp_py.server.uri.expression import Value
from erlmcp_py.server.uri.template import MAX_VARIABLES, UriTemplate, compile_template

__all__ = [
    "MAX_LENGTH",
    "MAX_VARIABLES",
    "UriTemplate",
    "Value",
    "check_uri",
    "compile_template",
    "is_template",
]
