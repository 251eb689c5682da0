"""How a run of the tests begins and ends: a cache folder of its own, and what is said of what could not be run."""

import gc
import os
import shutil
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import settings
from tests.libraries import CACHE_HOME, executed_lines

settings.register_profile("quick", max_examples=20)  # for `make test-quick`, where a test asks for no number of its own


def pytest_configure(config: pytest.Config) -> None:
    """Leave the user's cache alone. Kernels and the converted encoder stay for the next run; results do not.

    Workers of pytest-xdist share the cores, so each computes on one; the process that starts them clears the cache, and
    runs no test: it does not wait for torch.
    """
    os.environ["XDG_CACHE_HOME"] = str(CACHE_HOME)
    os.fsync = _leave_to_the_system
    is_worker = hasattr(config, "workerinput")
    starts_workers = not is_worker and config.getoption("numprocesses", None) and not config.option.collectonly
    if starts_workers:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    else:
        config.pluginmanager.import_plugin("tests.tiny_models")
    if not is_worker:
        for results in ("features", "calibrations"):
            shutil.rmtree(CACHE_HOME / "limbeck" / results, ignore_errors=True)


def _leave_to_the_system(descriptor: int) -> None:
    """Wait for no disk: no test cuts the power, and those of `os_files` and `storage` see who asks for it, and when."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while a million objects are made that all stay, and never among them afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what this machine could not run (no browser, no matrix units, no data): never in silence."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("not run on this machine")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5} {reason.removeprefix('Skipped: ')}")
    if lines := executed_lines(terminalreporter.stats.get("passed", [])):
        terminalreporter.section("tests of kernels, by instruction set")
    for line in lines:
        terminalreporter.write_line(line)
