"""The examples in the docstrings of the public functions run, in one folder with one run of a tiny encoder."""

import csv
import doctest
import inspect

import pytest

import limbeck
from limbeck.catalog import presets

MOODS = {"joy": ("fine", "sunny", "sun"), "sadness": ("sad", "rain", "rainy")}
NAMES = [name for name in limbeck.__all__ if inspect.isfunction(getattr(limbeck, name))]


@pytest.fixture
def session(tiny_folder, tmp_path, monkeypatch, one_thread):
    """What the examples stand on: `data`, reviews.csv, RUN and reviewed.csv; minilm is the tiny encoder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(presets, "_minilm_folder", lambda *_: tiny_folder)
    texts, labels = [], []
    for place in range(60):
        label = ("joy", "sadness")[place % 2]
        first, second = MOODS[label][place % 3], MOODS[label][place // 6 % 3]
        texts.append(f"{'so ' * (place % 5)}{'very ' * (place // 20)}i feel {first} {second} {'!' * (place // 12)}")
        labels.append(label)
    data = limbeck.from_lists(texts, labels)
    limbeck.write(data, tmp_path / "reviews.csv")
    return data


def make_run(data):
    """Train the run that examples call RUN, and decide one label of its sheet."""
    run = limbeck.train(data, "RUN", method="probe", pooling="mean", folds=2)
    limbeck.write_sheet(limbeck.find_label_issues(run), "sheet.csv", rows=2)
    with open("sheet.csv", encoding="utf-8-sig", newline="") as file:  # noqa: PTH123  # as in the notebook
        rows = list(csv.DictReader(file))
    rows[0]["new_label"] = "ok"
    with open("reviewed.csv", "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  # the same
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs(name, session):
    """It prints what it says that it prints."""
    function = getattr(limbeck, name)
    globs = {known: getattr(limbeck, known) for known in limbeck.__all__} | {"data": session, "limbeck": limbeck}
    found = doctest.DocTestParser().get_doctest(function.__doc__, globs, name, None, 0)
    example = function.__doc__.partition("Example:")[2]
    if ('"RUN' in example or "reviewed.csv" in example) and name not in ("train", "train_probe"):
        make_run(session)
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(found, out=said.append, clear_globs=False)
    assert not runner.failures, "".join(said)
