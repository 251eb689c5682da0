"""The notebook of examples/ runs to its end, cell by cell, with a tiny encoder; its outputs are not kept."""

import json
from pathlib import Path

import pytest

import limbeck
from limbeck.catalog import presets
from limbeck.display.views import View

NOTEBOOK = Path(__file__).parents[2] / "examples" / "session.ipynb"
MOODS = {"positive": ("fine", "sunny", "sun"), "negative": ("sad", "rain", "rainy")}


def rows():
    """Rows for the sample, in words that the tiny tokenizer knows."""
    texts, labels = [], []
    for place in range(120):
        label = ("positive", "negative")[place % 2]
        first, second = MOODS[label][place % 3], MOODS[label][place // 6 % 3]
        texts.append(f"{'so ' * (place % 5)}{'very ' * (place // 20)}i feel {first} {second} {'!' * (place // 12)}")
        labels.append(label)
    return limbeck.from_lists(texts, labels)


@pytest.mark.slow
def test_the_session_runs_and_each_result_shows_itself(tiny_folder, tmp_path, monkeypatch, one_thread):
    """Every cell runs; what stands last in a cell is shown in two lines, and in HTML of bounded length."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(presets, "_minilm_folder", lambda *_: tiny_folder)
    data = rows()
    monkeypatch.setattr(
        limbeck, "read", lambda *_: data.select([row for row in range(120) for _ in range(20)]), raising=False
    )
    shown, space = [], {}
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        *first, last = "".join(cell["source"]).strip().split("\n")
        exec("\n".join(first), space)  # noqa: S102  # cells of a file of this project
        shown.append(eval(last, space))  # noqa: S307  # the same
    assert all(isinstance(one, View) for one in shown)
    assert all(len(repr(one).split("\n")) == 2 for one in shown)
    assert all(len(one._repr_html_()) < 60_000 for one in shown)


def test_the_notebook_is_kept_without_outputs():
    """No output, no count of runs: what is kept is what a person wrote."""
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
