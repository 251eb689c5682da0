"""Last connections: how a server stops listening without losing who had just come.

In: a listening socket. Out: nothing; it takes no newcomers from now on, and who came before can still be accepted.

A socket that is closed resets every connection that is complete and was not accepted yet: under load there is always
one. On Linux a filter on the socket drops the packets that ask for a new connection (SYN without ACK) and nothing else,
so that the queue runs empty before the socket is closed; whoever asked meanwhile asks again by itself a second later,
and is refused. On other systems the queue is emptied as far as it can be.

Source: Linux, Documentation/networking/filter.rst; a filter on a TCP socket sees packets from their TCP header on.
"""

import contextlib
import ctypes
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
_FLAGS_BYTE = 13
"""Of a TCP header."""
_SYN, _SYN_ACK = 0x02, 0x12
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_WHOLE, _NOTHING = 0xFFFFFFFF, 0
_PROGRAM = (
    (_LOAD_BYTE, 0, 0, _FLAGS_BYTE),
    (_AND, 0, 0, _SYN_ACK),
    (_JUMP_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, _NOTHING),
    (_RETURN, 0, 0, _WHOLE),
)
"""Of the classic Berkeley packet filter: instructions as (code, jump if true, jump if false, value)."""


def take_no_newcomers(listening: socket.socket) -> None:
    """Let no new connection begin; those that have begun are not touched. Does nothing where the system cannot."""
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _PROGRAM)
    kept = ctypes.create_string_buffer(program, len(program))
    with contextlib.suppress(OSError):
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_PROGRAM), ctypes.addressof(kept))
        )
