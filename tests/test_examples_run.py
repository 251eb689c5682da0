"""Every example in a docstring runs, in a folder with one run of a tiny encoder. Examples of the hub: tests/hub."""

import csv
import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import limbeck
from limbeck.catalog import presets
from limbeck.inference import timing

MOODS = {"joy": ("fine", "sunny", "sun"), "sadness": ("sad", "rain", "rainy")}
ROOT = Path(limbeck.__file__).parents[1]
NEEDS_SESSION = re.compile(r"\bdata\b|minilm|reviews|RUN|Text(Features|Classifier|Regressor)")
NEEDS_RUN = re.compile(r'\("RUN|reviewed\.csv')
ASKS_THE_HUB = ("limbeck.publishing.publication",)
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(ROOT.rglob("limbeck/**/*.py"))
    if ">>> " in file.read_text("utf-8")
}


@pytest.fixture
def session(tiny_folder, tmp_path, monkeypatch, one_thread):
    """What the examples stand on: `data`, reviews.csv, RUN and reviewed.csv; minilm is the tiny encoder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(presets, "_minilm_folder", lambda *_: tiny_folder)
    monkeypatch.setattr(timing, "FEWEST_TOKENS", 100)  # a student's speed: milliseconds a round
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


def examples_of(module, shown, data):
    """The examples of a module; they know its names, the public ones and `data`."""
    home = import_module(module)
    public = {name: getattr(limbeck, name) for name in limbeck.__all__ if name in shown}
    globs = public | vars(home) | {"data": data, "limbeck": limbeck}
    return [found for found in doctest.DocTestFinder().find(home, module, globs=globs) if found.examples]


@pytest.mark.slow
@pytest.mark.parametrize("module", [name for name in MODULES if name not in ASKS_THE_HUB])
def test_the_examples_of_a_module_run(module, request):
    """They print what they say that they print."""
    source = MODULES[module].read_text("utf-8")
    shown = "\n".join(line for line in source.splitlines() if ">>> " in line)
    data = request.getfixturevalue("session") if NEEDS_SESSION.search(shown) else None
    if NEEDS_RUN.search(shown):
        make_run(data)
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    for found in examples_of(module, shown, data):
        runner.run(found, out=said.append)
    assert runner.tries
    assert not runner.failures, "".join(said)


def test_no_example_is_left_out():
    """What no test can run stands as a plain block of code, and says why."""
    assert [module for module, file in MODULES.items() if "+SKIP" in file.read_text("utf-8")] == []
