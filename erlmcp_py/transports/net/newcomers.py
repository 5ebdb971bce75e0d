"""Closing a listening socket without losing those who are just coming in.

A connection stands in the queue of a listening socket before anybody has accepted it, and is reset when the
socket is closed. So newcomers are kept out first: a filter drops the packets with which connections begin
(SYN without ACK). A client whose packet is dropped sends it again after a second, and is then refused, or
reaches whoever listens on the port by then; those who had begun come in, are accepted, and nobody is reset.

Linux only (SO_ATTACH_FILTER, classic BPF); elsewhere the moment between the last accept and the close stays.
"""

from __future__ import annotations

import ctypes
import socket
import sys
from typing import Final

SETTLE: Final = 0.2
"""Seconds in which connections that have begun come in."""

_SO_ATTACH_FILTER: Final = 26
_SYN, _ACK, _FLAGS = 0x02, 0x10, 13
_LOAD_BYTE, _AND, _IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def keep_out(sock: socket.socket) -> bool:
    """Let no new connections begin at a listening socket, ever again; False if that cannot be had.

    Everybody who listens on a copy of the same socket is concerned.
    """
    if sys.platform != "linux" or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    # What the filter sees begins with the TCP header.
    instructions = (_Instruction * 5)(
        _Instruction(_LOAD_BYTE, 0, 0, _FLAGS),
        _Instruction(_AND, 0, 0, _SYN | _ACK),
        _Instruction(_IF_EQUAL, 0, 1, _SYN),
        _Instruction(_RETURN, 0, 0, 0),
        _Instruction(_RETURN, 0, 0, 0xFFFFFFFF),
    )
    program = _Program(len(instructions), instructions)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))
    except OSError:
        return False
    return True
