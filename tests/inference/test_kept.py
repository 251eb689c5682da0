"""KeptResults: what was measured once, on disk, and not without end."""

import os
from pathlib import Path

import pytest

from limbeck.inference import kept
from limbeck.inference.kept import KeptResults
from limbeck.progress import SILENT


def test_results_do_not_gather_without_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beyond a number, those that were not used for longest go."""
    monkeypatch.setattr(kept, "MOST_FILES", 3)
    results = KeptResults(tmp_path)
    for number in range(3):
        results.keep(str(number), number, SILENT)
        os.utime(results.folder / f"{number}.json", (1_000 + number, 1_000 + number))
    assert results.read("0") == 0  # used now
    results.keep("new", 9, SILENT)
    assert sorted(file.stem for file in results.folder.glob("*.json")) == ["0", "2", "new"]
    assert results.count()[0] == 3
