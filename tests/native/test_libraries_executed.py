"""Which instruction sets a run of the tests executed: said at its end, and none of those that must be is skipped."""

from types import SimpleNamespace

import pytest
from tests import libraries
from tests.libraries import MANDATORY, executed_lines, library_for

from limbeck.native.kernels import NoKernels


@pytest.mark.parametrize("name", [*sorted(MANDATORY), "amx"])
def test_what_must_run_fails_where_it_cannot(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without a compiler the plain ones are a failure; what needs another CPU is a skip, which is listed."""
    monkeypatch.setattr(libraries, "find_library", lambda *given: NoKernels(reason="no compiler in this test"))
    ended = pytest.fail.Exception if name in MANDATORY else pytest.skip.Exception
    with pytest.raises(ended, match="no compiler in this test"):
        library_for(name, SimpleNamespace(node=SimpleNamespace(user_properties=[])))


def test_portable_and_soft_must_run_everywhere() -> None:
    """They need no CPU of a kind."""
    assert {"portable", "soft"} <= MANDATORY


def test_a_run_says_what_was_executed_and_what_not() -> None:
    """Tests are counted by instruction set; the others have their reason; a run without such tests says nothing."""
    reports = [SimpleNamespace(user_properties=[("instruction set", "soft")])] * 3 + [
        SimpleNamespace(user_properties=[])
    ]
    lines = executed_lines(reports)
    assert lines[0] == "    3 soft"
    assert "    - portable not executed: none of these tests" in lines
    assert executed_lines(reports[3:]) == []
