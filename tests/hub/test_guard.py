"""The guard that keeps every test of this folder on this machine."""

import socket
from urllib.request import urlopen

import pytest


def test_nothing_further_than_loopback_is_reached(reached: list[str]) -> None:
    """A name, an address, and a connection of a library: each is refused and noted."""
    with pytest.raises(OSError, match=r"not this machine"):
        socket.getaddrinfo("huggingface.co", 443)
    with socket.socket() as sock, pytest.raises(OSError, match=r"not this machine"):
        sock.connect(("192.0.2.1", 443))
    with pytest.raises(OSError, match=r"not this machine"):
        urlopen("http://example.com")
    assert reached == ["huggingface.co", "192.0.2.1", "example.com"]
    reached.clear()


def test_the_real_client_is_stopped_too(reached: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pointed at the true hub, the client library fails, and limbeck says that it cannot be reached."""
    from huggingface_hub import constants

    from limbeck import read
    from limbeck.errors import HubUnreachableError

    monkeypatch.setattr(constants, "ENDPOINT", "https://huggingface.co")
    with pytest.raises(HubUnreachableError, match=r"https://huggingface.co cannot be reached"):
        read("hub:dair-ai/emotion")
    assert set(reached) == {"huggingface.co"}
    reached.clear()
