"""The libraries that this machine can run: what tests of kernels run over, and what the end of a run says of them."""

from collections import Counter
from pathlib import Path

import pytest

from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import Kernels
from limbeck.native.libraries import find_library, why_not_usable
from limbeck.processor import machine

CACHE_HOME = Path(__file__).parents[1] / ".pytest_cache" / "home"
"""Where tests, and the processes that they start, keep what is compiled and converted; git does not see it."""
RUNNABLE = tuple(library.name for library in LIBRARIES if why_not_usable(library) is None)
"""All for which this CPU has the instructions."""
REFERENCES = frozenset(library.name for library in LIBRARIES if library.is_reference)
_LEFT_OUT = REFERENCES if {*RUNNABLE} - REFERENCES else frozenset()
MANDATORY = frozenset(("portable", "soft", "avx2")) & frozenset(RUNNABLE)
"""Without these no kernel is tested at all on most machines, so a missing compiler is a failure and no skip."""
_EXECUTED = "instruction set"


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    """Return the marks of tests on a library: the quick run leaves the slow references out if it has another."""
    return [pytest.mark.slow] if name in _LEFT_OUT else []


def library_for(name: str, request: pytest.FixtureRequest) -> Kernels:
    """Return the library of an instruction set, compiled once for all runs, and note that a test ran on it."""
    # Whatever cache folder the test itself is given.
    found = find_library(name, CACHE_HOME / "limbeck")
    if isinstance(found, Kernels):
        request.node.user_properties.append((_EXECUTED, name))
        return found
    if name in MANDATORY:
        pytest.fail(f"the kernels of {name} must be tested, and are not there: {found.reason}")
    pytest.skip(f"no kernels of {name}: {found.reason}")


def executed_lines(reports: list[pytest.TestReport]) -> list[str]:
    """Return what a run says of instruction sets: on which tests were executed, and on which not; nothing of none."""
    counts = Counter(value for report in reports for key, value in report.user_properties if key == _EXECUTED)
    if not counts:
        return []
    lines = [f"{counts[library.name]:5} {library.name}" for library in LIBRARIES if counts[library.name]]
    missed = [library for library in LIBRARIES if not counts[library.name] and machine() in library.machines]
    return [
        *lines,
        *(
            f"    - {library.name} not executed: {why_not_usable(library) or 'none of these tests'}"
            for library in missed
        ),
    ]
