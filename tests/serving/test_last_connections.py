"""Last connections: who had come before the server stopped listening is still served."""

import socket
import sys

import pytest

from limbeck.serving.last_connections import take_no_newcomers


@pytest.mark.skipif(sys.platform != "linux", reason="filters of sockets are Linux's")
def test_who_has_come_is_served_and_no_newcomer_begins():
    """A connection that waits to be accepted is whole afterwards, in both directions; another does not come about."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as one:
        take_no_newcomers(listening)
        with pytest.raises(TimeoutError):
            socket.create_connection(listening.getsockname(), timeout=0.1)
        accepted, _ = listening.accept()
        with accepted:
            one.sendall(b"asked")
            assert accepted.recv(5) == b"asked"
            accepted.sendall(b"answered")
            assert one.recv(8) == b"answered"
        listening.settimeout(0)
        with pytest.raises(BlockingIOError):
            listening.accept()
