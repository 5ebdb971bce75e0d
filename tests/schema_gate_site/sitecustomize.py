"""On the path of the nodes that tests start as processes of their own: their messages are checked too."""

from tests.schema_gate import install_in_child

install_in_child()
