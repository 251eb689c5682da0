"""What `limbeck compare` prints: a headline that says no less than the table below it, and runs by their names."""

from pathlib import Path

import numpy as np
import pytest
from tests.experiments.test_run_comparison import answered, run
from typer.testing import CliRunner

from limbeck.cli.app import app


def test_the_headline_agrees_with_the_table_and_columns_have_the_names_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A better log loss is told in the headline though no other accuracy is shown; no column is called "first"."""
    one = answered()
    flat = one.probabilities.copy()
    wrong = np.flatnonzero(one.predicted != one.known_labels)
    flat[wrong] = 0.3
    flat[wrong, one.predicted[wrong]] = 0.4
    other = answered()
    other.probabilities[:] = flat
    row = int(wrong[0])
    other.probabilities[row] = np.where(np.arange(3) == one.known_labels[row], 0.8, 0.1)
    run(tmp_path / "plain", one)
    run(tmp_path / "surer", other)
    monkeypatch.chdir(tmp_path)  # so that columns have names that fit
    paths = ["plain", "surer"]
    printed = CliRunner().invoke(app, ["compare", *paths]).output
    assert "surer beside " in printed
    assert "accuracy: no difference shown; F1 macro: no difference shown; log loss: better" in printed
    heads = [line for line in printed.splitlines() if line.startswith("┃")]
    assert "first" not in " ".join(heads)
    assert "second" not in " ".join(heads)
    assert "surer" in " ".join(heads).replace("┃", "").replace(" ", "")
