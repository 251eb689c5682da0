"""Python's face: each verb does what the command of its name does, over the same settings; options find their stage."""

import csv

import pytest

import limbeck
from limbeck.api.found_tokenizers import FoundTokenizers
from limbeck.errors import SettingsError

MOODS = {"joy": ("fine", "sunny", "sun"), "sadness": ("sad", "rain", "rainy")}


@pytest.fixture
def data():
    """Sixty labelled texts in words that the tiny tokenizer knows."""
    texts, labels = [], []
    for place in range(60):
        label = ("joy", "sadness")[place % 2]
        words = MOODS[label]
        first, second = words[place % 3], words[place // 6 % 3]
        texts.append(f"{'so ' * (place % 5)}{'very ' * (place // 20)}i feel {first} {second} {'!' * (place // 12)}")
        labels.append(label)
    return limbeck.from_lists(texts, labels)


@pytest.fixture
def run(data, tiny_folder, tmp_path, one_thread):
    """A probe of the tiny encoder."""
    return limbeck.train(data, tmp_path / "RUN", encoder=str(tiny_folder), folds=2, validation_share=0.3)


class Told:
    """Gathers what is said."""

    def __init__(self):
        self.lines = []

    track = limbeck.load.__globals__["SILENT"].track

    def say(self, line):
        self.lines.append(line)


def test_a_probe_is_trained_by_name(run, data):
    """One call, options by keyword: they stand in the run's settings, each in its stage."""
    settings = run.folder.settings.read_text("utf-8")
    assert "folds = 2" in settings
    assert "validation_share = 0.3" in settings
    assert len(run.dataset) == len(data)
    assert repr(run).startswith(f"Run {run.folder.path} (probe): accuracy ")


def test_by_name_and_by_function_are_one(run, data, tiny_folder, tmp_path):
    """`train` gives the figures that the method's own function gives."""
    training = limbeck.ProbeTraining(
        features=limbeck.FeatureSettings(encoder=str(tiny_folder)),
        probe=limbeck.ProbeSettings(folds=2),
        split=limbeck.SplitSettings(validation_share=0.3),
    )
    other = limbeck.train_probe(data, tmp_path / "other", training)
    assert other.validation.to_dict() == run.validation.to_dict()


@pytest.mark.parametrize(("method", "option"), [("head", "best_by"), ("finetune", "top_layers")])
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
    from limbeck.methods.options import training_of

    training = training_of("probe", {"seed": 7})
    assert (training.split.seed, training.probe.seed) == (7, 7)


def test_precision_of_a_finetuning_is_of_its_arithmetic_too():
    """As on the command line."""
    from limbeck.methods.options import training_of

    training = training_of("finetune", {"precision": "float32"})
    assert (training.features.precision, training.finetune.precision) == ("float32", "float32")
    assert training.features.pooling == "cls"


def test_rows_go_from_hand_to_hand(data, monkeypatch, tmp_path):
    """What cleaning, splitting and correcting return is taken as rows; a path is taken too; other things are not."""
    monkeypatch.setattr(
        "limbeck.api.preparing.find_tokenizers", lambda *_: FoundTokenizers(tokenizers={}, shape=None, absent=())
    )
    cleaned = limbeck.clean(data, drop="exact-duplicates,empty")
    parted = limbeck.split(cleaned, validation_share=0.2, test_share=0.2, out=tmp_path / "rows.parquet")
    assert limbeck.audit(parted).shape.rows == len(cleaned.dataset)
    assert len(limbeck.clean(tmp_path / "rows.parquet", drop=["empty"]).dataset) == len(cleaned.dataset)
    with pytest.raises(SettingsError, match=r"limbeck\.from_lists"):
        limbeck.clean(["a text"], drop="empty")


def test_nothing_is_written_unasked(data, tmp_path, monkeypatch):
    """Cleaning and splitting write where `out` says, and nowhere else."""
    monkeypatch.chdir(tmp_path)
    limbeck.split(limbeck.clean(data, drop="empty"))
    assert not list(tmp_path.iterdir())
    limbeck.clean(data, drop="empty", out="cleaned")
    assert (tmp_path / "cleaned" / "clean.json").is_file()


def test_labels_are_reviewed(run, data, tmp_path):
    """Issues of a run, a sheet, a decision, and the corrected rows."""
    issues = limbeck.find_label_issues(run)
    sheet = limbeck.write_sheet(issues, tmp_path / "review.csv", rows=4)
    with pytest.raises(SettingsError, match="give overwrite=True to replace it"):
        limbeck.write_sheet(issues, tmp_path / "review.csv", rows=4)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    rows[0]["new_label"] = "ok"
    with (tmp_path / "reviewed.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    corrected = limbeck.apply_corrections(data, tmp_path / "reviewed.csv")
    assert corrected.changes.num_rows == 1
    again = limbeck.train(corrected, tmp_path / "AGAIN", folds=2, encoder=run_encoder(run), validation_share=0.3)
    assert len(again.dataset) == len(data)


def run_encoder(run):
    """The encoder that a run was made with."""
    from limbeck.settings import read_toml

    return read_toml(run.folder.settings)["features"]["encoder"]


def test_predictions_alone_have_issues_too(run):
    """Out-of-fold predictions without a run are ranked by themselves."""
    answers = limbeck.read_predictions(run.folder.predictions("out_of_fold"))
    assert len(limbeck.find_label_issues(answers)) == len(answers)


def test_answers_are_scored_as_arrays_are(run):
    """`evaluate(predictions)` is `evaluate(probabilities, labels, names)`; a majority label may be a name."""
    answers = limbeck.load(run.folder.path, progress=False).predict(run.dataset, progress=None)
    found = limbeck.evaluate(answers, majority_label="sadness")
    arrays = limbeck.evaluate(answers.probabilities, answers.known_labels, answers.label_names, majority_label=1)
    assert found.to_dict() == arrays.to_dict()
    assert found.baseline.label == "sadness"
    with pytest.raises(SettingsError, match="of their own"):
        limbeck.evaluate(answers, answers.known_labels)
    with pytest.raises(SettingsError, match="is no class"):
        limbeck.evaluate(answers, majority_label="anger")
    with pytest.raises(limbeck.DataError, match="no row"):
        limbeck.evaluate(limbeck.load(run.folder.path).predict(["i feel fine"]))


def test_runs_are_compared_and_thresholds_set(run):
    """A run, its folder and its name are the same run; a threshold is written and taken out."""
    assert limbeck.compare(run, str(run.folder.path)).pairs[0].verdict == "no difference shown"
    assert limbeck.threshold(run, coverage=0.5).is_reached
    assert limbeck.load(run.folder.path).bundle.facts.thresholds is not None
    limbeck.clear_thresholds(run)
    assert limbeck.load(run.folder.path).bundle.facts.thresholds is None


def test_progress_is_true_false_none_or_a_listener(run, capsys):
    """True speaks on standard error where a step is long; False and None are silent; a listener hears."""
    from limbeck.progress import SILENT, Lines, as_progress

    assert isinstance(as_progress(True), Lines)
    assert as_progress(False) is as_progress(None) is SILENT
    told = Told()
    assert as_progress(told) is told
    limbeck.load(run.folder.path, progress=True).predict(["i feel fine"], progress=True)
    assert capsys.readouterr().out == ""


def test_a_report_is_written(run, tmp_path):
    """The page, and a value that says where it is and what must be known."""
    made = limbeck.report(run, out=tmp_path / "page.html")
    assert made.path.read_text("utf-8").startswith("<!doctype html>")
    assert len(repr(made).split("\n")) == 2
    with pytest.raises(SettingsError, match="did you mean 'language'"):
        limbeck.report(run, langage="ko")
