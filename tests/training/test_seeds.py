"""Several seeds: which one is kept, and when their spread is no chance."""

import json

import numpy as np
import pytest

from limbeck.errors import SettingsError
from limbeck.progress import SILENT
from limbeck.runs.run_folder import RunFolder
from limbeck.training.seeds import _best, _require_one_encoder, spread


def scored(accuracy, log_loss):
    """Metrics of a seed."""
    figures = {"accuracy": accuracy, "f1_weighted": accuracy, "f1_macro": 1 - accuracy, "log_loss": log_loss}
    return {"validation": figures}


@pytest.mark.parametrize(
    ("by", "kept"), [("accuracy", 5), ("f1_weighted", 5), ("f1_macro", 3), ("loss", 4), ("no figure of these", 4)]
)
def test_the_best_seed_is_kept(by, kept):
    """By the figure that the settings name; of equal ones the one of the lowest loss, whatever their order."""
    metrics = {3: scored(0.8, 0.5), 4: scored(0.9, 0.2), 5: scored(0.95, 0.4), 6: scored(0.95, 0.6)}
    assert _best(metrics, by, loss="log_loss") == kept
    assert _best(dict(reversed(metrics.items())), by, loss="log_loss") == kept


@pytest.mark.parametrize(("changed", "accepted"), [("numerics", True), ("fingerprint", False), ("name", True)])
def test_seeds_of_another_encoder_are_no_spread(tmp_path, changed, accepted):
    """Another encoder is refused and the seed named; another arithmetic is too, unless it was accepted."""
    same = {"name": "tiny", "fingerprint": "f0", "numerics": "torch float32 cpu"}
    runs = {}
    for number, encoder in {3: same, 4: same, 5: {**same, changed: "other"}}.items():
        runs[number] = RunFolder(tmp_path / str(number))
        runs[number].path.mkdir()
        runs[number].record.write_text(json.dumps({"encoder": encoder}), "utf-8")
    with pytest.raises(SettingsError, match="seed 5 was trained with another encoder or arithmetic than seed 3"):
        _require_one_encoder(runs, SILENT, accepts_engine=False)
    if accepted:
        _require_one_encoder(runs, SILENT, accepts_engine=True)
    else:
        with pytest.raises(SettingsError, match="seed 5"):
            _require_one_encoder(runs, SILENT, accepts_engine=True)
    _require_one_encoder({3: runs[3], 4: runs[4]}, SILENT, accepts_engine=False)


def test_spread_is_that_of_a_sample():
    """Mean, standard deviation with N - 1, lowest and highest, by hand."""
    found = spread(
        [scored(accuracy, 1 - accuracy)["validation"] for accuracy in (0.9, 0.92, 0.94)], ("accuracy", "log_loss")
    )
    assert found["accuracy"]["mean"] == pytest.approx(0.92)
    assert found["accuracy"]["std"] == pytest.approx(0.02)
    assert (found["accuracy"]["min"], found["accuracy"]["max"]) == (0.9, 0.94)
    assert found["log_loss"]["std"] == pytest.approx(np.std([0.1, 0.08, 0.06], ddof=1))
