"""Training by name: options find their stage, and a wrong one is told before anything is computed."""

import pytest

import limbeck
from limbeck.errors import SettingsError
from limbeck.methods.options import training_of


def test_a_probe_is_trained_by_name(run, data):
    """One call, options by keyword: they stand in the run's settings, each in its stage."""
    settings = run.folder.settings.read_text("utf-8")
    assert "folds = 2" in settings
    assert "validation_share = 0.3" in settings
    assert len(run.dataset) == len(data)
    assert repr(run).startswith(f"Run {run.folder.path} (probe): accuracy ")


@pytest.mark.slow
def test_by_name_and_by_function_are_one(run, data, tiny_folder, tmp_path):
    """`train` gives the figures that the method's own function gives."""
    training = limbeck.ProbeTraining(
        features=limbeck.FeatureSettings(encoder=str(tiny_folder)),
        probe=limbeck.ProbeSettings(folds=2),
        split=limbeck.SplitSettings(validation_share=0.3),
    )
    other = limbeck.train_probe(data, tmp_path / "other", training)
    assert other.validation.to_dict() == run.validation.to_dict()


@pytest.mark.parametrize(
    ("method", "option"), [pytest.param("head", "best_by", marks=pytest.mark.slow), ("finetune", "top_layers")]
)
def test_every_method_goes_by_its_name(method, option, data, tiny_folder, tmp_path, one_thread):
    """The same call trains a head or fine-tunes."""
    given = {"best_by": "f1_macro", "top_layers": 1}[option]
    trained = limbeck.train(
        data, tmp_path / "RUN", method=method, encoder=str(tiny_folder), epochs=1, **{option: given}
    )
    assert trained.metrics["method"] == method
    assert f"{option} = " in trained.folder.settings.read_text("utf-8")
    assert "(kept)" in trained._repr_html_()


def test_a_path_is_read_with_the_options_of_reading(data, tiny_folder, tmp_path):
    """`train("file.csv", …, text_column=…)` reads the file so, and the run knows how."""
    frame = data.to_pandas()[["text", "label_name"]].rename(columns={"text": "what", "label_name": "mood"})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    trained = limbeck.train(
        tmp_path / "rows.csv",
        tmp_path / "RUN",
        encoder=str(tiny_folder),
        folds=2,
        text_column="what",
        label_column="mood",
    )
    assert 'text_column = "what"' in trained.folder.settings.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"poling": "mean"}, "did you mean 'pooling'"),
        ({"top_layers": 2}, "goes with method finetune"),
        ({"epochs": 2}, "goes with method head or finetune"),
        ({"zzzz": 1}, "those of probe are"),
        ({"folds": "five"}, "folds = 'five' is not"),
        ({"text_column": "a"}, "say how a file is read"),
        ({"method": "svm"}, "give one of probe, head, finetune"),
        ({"start": "resume"}, "not resumed"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_computed(options, said, data, tmp_path):
    """The nearest name, the method that has it, or the type that is expected."""
    with pytest.raises(SettingsError, match=said):
        limbeck.train(data, tmp_path / "RUN", **options)
    assert not (tmp_path / "RUN").exists()


def test_wrong_options_are_told_together(data, tmp_path):
    """Two slips are two faults of one message."""
    with pytest.raises(SettingsError, match="2 faults"):
        limbeck.train(data, tmp_path / "RUN", poling="mean", encodr="x")


def test_a_seed_is_of_splits_and_method():
    """As on the command line: one seed for both."""
    training = training_of("probe", {"seed": 7})
    assert (training.split.seed, training.probe.seed) == (7, 7)


def test_precision_of_a_finetuning_is_of_its_arithmetic_too():
    """As on the command line."""
    training = training_of("finetune", {"precision": "float32"})
    assert (training.features.precision, training.finetune.precision) == ("float32", "float32")
    assert training.features.pooling == "cls"
