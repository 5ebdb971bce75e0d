"""Signals as bytes, and the objects of one node as those of another.

A pid, a reference or the `From` of a call means the same thing on every node but is another
object on each (`remote`). The codec writes down what it means and finds or makes the
object of the node that reads. Everything else goes through pickle: nodes trust each other,
as Erlang's do, so bytes of strangers must never come here.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from .._errors import BadArg, format_reason
from .._gen_server.calls import From
from .._pid import Pid, Ref, export_pid, own_pid
from . import signals
from .signals import Call, Down, Exit, NoReply, Reply, Signal, System, Unreadable

if TYPE_CHECKING:
    from .endpoint import Endpoint


class Codec:
    """Encodes and decodes for one node."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def encode(self, signal: Signal) -> bytes:
        """A signal of this node as bytes.

        BadArg when something in it cannot travel; but an end is always told: its reason
        goes as text then, and a reply that cannot travel becomes the failure of the call.
        """
        try:
            return self._dump(signal)
        except BadArg as error:
            match signal:
                case Exit(sender, to, reason, linked):
                    return self._dump(Exit(sender, to, format_reason(reason), linked))
                case Down(number, reason):
                    return self._dump(Down(number, format_reason(reason)))
                case Reply(number, _):
                    return self._dump(Reply(number, NoReply(("badarg", str(error)))))
            raise

    def _dump(self, signal: Signal) -> bytes:
        buffer = BytesIO()
        pickler = pickle.Pickler(buffer, protocol=5)
        pickler.persistent_id = self.external  # type: ignore[method-assign]
        try:
            pickler.dump(signal)
        except Exception as error:
            raise BadArg(
                f"cannot send to another node: {error} (what travels has to be pickled)"
            ) from error
        return buffer.getvalue()

    def decode(self, data: bytes) -> Signal:
        """The signal, made of objects of this node.

        What is in it may be unknown here, or refuse to be made again. An end is told all the
        same, with text as its reason; a call fails; anything else is `Unreadable`.
        """
        try:
            return _load(pickle.Unpickler(BytesIO(data)), self.internal)
        except Exception as error:
            why = format_reason(error)
            match _load(_Outline(BytesIO(data)), self._addressed):
                case Exit(sender, to, _, linked):
                    return Exit(sender, to, f"a reason that cannot be read here: {why}", linked)
                case Down(number, _):
                    return Down(number, f"a reason that cannot be read here: {why}")
                case Reply(number, _):
                    refused = "badarg", f"the reply cannot be read here: {why}"
                    return Reply(number, NoReply(refused))
                case Call(number=number) | System(number=number):
                    return Unreadable(number, why)
            return Unreadable(None, why)

    def _addressed(self, known: Any) -> Any:
        """As `internal`, but a blank for what is neither an address nor a sort of signal."""
        item = self.internal(known)
        if (
            isinstance(item, Pid | Ref | From)
            or getattr(item, "__module__", "") == signals.__name__
        ):
            return item
        return _Blank

    def external(self, item: Any) -> Any:
        """What stands for `item` outside, None for what is pickled as it is."""
        if isinstance(item, Pid):
            export_pid(item)
            return "pid", item.node, item.id, item.serial, item.creation
        if isinstance(item, Ref):
            return "ref", *self._endpoint.export_ref(item)
        if isinstance(item, From):
            return "from", *self._endpoint.export_from(item)
        return None

    def internal(self, known: Any) -> Any:
        """The object of this node for what `external` wrote."""
        match known:
            case "pid", node, id, serial, creation:
                if node == self._endpoint.node:
                    return own_pid(node, id, serial, creation)
                return self._endpoint.pid(node, id, serial, creation)
            case "ref", node, number, creation, is_alias:
                return self._endpoint.ref(node, number, creation, is_alias)
            case "from", node, number, caller:
                return self._endpoint.from_(node, number, caller)
        raise pickle.UnpicklingError(f"{known!r} stands for nothing of a node")


def _load(unpickler: pickle.Unpickler, internal: Callable[[Any], Any]) -> Signal:
    unpickler.persistent_load = internal  # type: ignore[method-assign]
    signal: Signal = unpickler.load()
    return signal


class _Outline(pickle.Unpickler):
    """Reads a signal and what it is addressed to, and a `_Blank` for everything else."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(module, name) if module == signals.__name__ else _Blank


class _Blank:
    """Stands for any class or function, and for what they make."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None: ...

    def add(self, item: Any) -> None: ...
