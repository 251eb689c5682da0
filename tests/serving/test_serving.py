"""The room as a whole: the front never loads torch, and says what to install."""

import subprocess
import sys

import pytest

from limbeck.errors import MissingExtraError
from limbeck.serving import web_extra


@pytest.mark.slow
def test_the_front_never_loads_torch():
    """Of two processes only the engine's takes the seconds and the memory of torch."""
    code = "import sys, limbeck.serving.server, limbeck.serving.local_service; print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


def test_what_is_absent_is_told(monkeypatch):
    """The name of the extra, not a traceback."""
    monkeypatch.setattr(web_extra, "WEB_MODULES", ("json", "no_such_module"))
    with pytest.raises(MissingExtraError, match=r'needs no_such_module.*pip install "limbeck\[serve\]"'):
        web_extra.need_web_server()
