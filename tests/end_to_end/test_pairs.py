"""Two texts per row through every command: trained, predicted, evaluated, reported, reviewed."""

import csv
import io
import json
import random
import shutil
import sys
from pathlib import Path

import pytest
from tests.threads import on_one_thread

from limbeck.data.text_pairs import TextPair
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.inference.predictor import load

WORDS = ("i", "feel", "so", "very", "today", "it", "is")


def write_matches(path: Path, rows: int, *, seed: int = 1, wrong: int = 10_000) -> Path:
    """Write pairs whose label says what the second text is about; the first says nothing; some are wrong."""
    drawn = random.Random(seed)  # noqa: S311  # a data set, not a secret
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "hypothesis", "premise", "label"])
        for number in range(rows):
            first = drawn.choices(WORDS, k=4)
            second = [*drawn.choices(WORDS, k=2), *[("fine", "sad")[number % 2]] * 2]
            drawn.shuffle(second)
            out.writerow(
                [number, " ".join(second), " ".join(first), ("good", "bad")[(number + (number % wrong == 7)) % 2]]
            )
    return path


@pytest.fixture(scope="module")
def matched(encoder_folder, tmp_path_factory) -> Path:
    """A run on pairs, made once by the command line; tests work on copies."""
    from limbeck.__main__ import main

    place = tmp_path_factory.mktemp("pairs")
    write_matches(place / "pairs.csv", 240, wrong=40)
    words = ["train", str(place / "pairs.csv"), "--text-column", "premise,hypothesis", "--encoder", str(encoder_folder)]
    before = sys.argv
    sys.argv = ["limbeck", *words, "--pooling", "layers", "--out", str(place / "RUN"), "--cache-dir", str(place / "c")]
    try:
        with on_one_thread(), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert not ended.value.code
    return place


@pytest.fixture
def run(matched, tmp_path) -> Path:
    shutil.copytree(matched / "RUN", tmp_path / "RUN")
    return tmp_path / "RUN"


def test_the_second_text_is_learned_from(run) -> None:
    """The label depends on the second text alone, so a model that read half would guess."""
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    assert metrics["validation"]["accuracy"] > 0.9
    assert json.loads((run / "bundle" / "limbeck.json").read_text("utf-8"))["pair"] == ["premise", "hypothesis"]


def test_predict_finds_both_columns_again(limbeck, run, tmp_path) -> None:
    """The bundle knows the names; answers are in order, the text of a row is both of its texts."""
    rows = write_matches(tmp_path / "new.csv", 20, seed=2)
    out = tmp_path / "answers.csv"
    assert limbeck("predict", run, "--input", rows, "--output", out).status == 0
    found = read_predictions(out)
    with rows.open(encoding="utf-8") as file:
        given = list(csv.DictReader(file))
    assert list(found.texts) == [f"{row['premise']} [SEP] {row['hypothesis']}" for row in given]
    assert sum(said == row["label"] for said, row in zip(found.predicted_names, given, strict=True)) > 17


def test_texts_on_the_command_line_have_the_mark(limbeck, run, monkeypatch) -> None:
    """As words, and as lines of standard input; one text alone is refused with both names."""
    ended = limbeck("predict", run, "so it is today [SEP] i feel fine fine", "--json")
    assert json.loads(ended.out)["rows"][0]["prediction"] == "good"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"so it is today [SEP] i feel sad sad\n")))
    assert json.loads(limbeck("predict", run, "-").out)["prediction"] == "bad"
    ended = limbeck("predict", run, "i feel fine")
    assert ended.status != 0
    assert "premise and hypothesis" in ended.err
    assert "first [SEP] second" in ended.err


def test_the_other_way_round_is_refused(limbeck, run, tmp_path) -> None:
    """A model that reads premise and hypothesis does not read hypothesis and premise."""
    rows = write_matches(tmp_path / "new.csv", 4)
    ended = limbeck("predict", run, "--input", rows, "--text-column", "hypothesis,premise")
    assert ended.status != 0
    assert "premise and hypothesis, in this order" in ended.err


def test_other_names_are_read_when_given(limbeck, run, tmp_path) -> None:
    """New data may call the two texts otherwise; one column alone is refused."""
    rows = write_matches(tmp_path / "new.csv", 6)
    rows.write_text(rows.read_text("utf-8").replace("hypothesis,premise", "b,a"), "utf-8")
    assert "no column 'premise'" in limbeck("predict", run, "--input", rows).err
    ended = limbeck("predict", run, "--input", rows, "--text-column", "a,b")
    assert (ended.status, len(ended.out.splitlines())) == (0, 6)
    assert "two texts per row" in limbeck("predict", run, "--input", rows, "--text-column", "a").err


def test_a_model_of_single_texts_refuses_pairs(limbeck, trained, tmp_path) -> None:
    """Neither half is read unasked."""
    rows = write_matches(tmp_path / "new.csv", 4)
    ended = limbeck("predict", trained, "--input", rows, "--text-column", "premise,hypothesis")
    assert ended.status != 0
    assert "one text per row" in ended.err


@pytest.mark.slow
def test_evaluate_and_report_read_the_same_pairs(limbeck, run, matched, tmp_path) -> None:
    """Scores, slices and the page; the card names both texts."""
    rows = write_matches(tmp_path / "new.csv", 40, seed=3)
    ended = limbeck("evaluate", run, rows, "--json", "--slices")
    assert ended.status == 0
    assert json.loads(ended.out)["accuracy"] > 0.8
    assert limbeck("report", run, "--json").status == 0
    assert "first text [SEP] second text" in (run / "report.html").read_text("utf-8")
    assert "premise and hypothesis" in (run / "bundle" / "README.md").read_text("utf-8")


def test_a_label_review_knows_pairs(limbeck, run, tmp_path) -> None:
    """The sheet shows both texts, and its corrections find their rows again."""
    sheet = tmp_path / "review.csv"
    assert limbeck("labels", run, "--out", sheet, "--rows", "12").status == 0
    with sheet.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert all(" [SEP] " in row["text"] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["oversample", "smote", "weights"])
def test_balance_works_on_what_is_made_of_both_texts(limbeck, encoder_folder, tmp_path, balance) -> None:
    """Rows that are repeated or drawn between others are features of pairs; no half is taken."""
    rows = write_matches(tmp_path / "pairs.csv", 160)
    words = ("--text-column", "premise,hypothesis", "--encoder", encoder_folder, "--pooling", "layers")
    ended = limbeck("train", rows, *words, "--balance", balance, "--out", tmp_path / "RUN", "--json")
    assert ended.status == 0
    assert json.loads((tmp_path / "RUN" / "metrics.json").read_text("utf-8"))["validation"]["accuracy"] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("method", ["head", "finetune"])
def test_every_method_reads_pairs(limbeck, encoder_folder, tmp_path, method) -> None:
    """The bundle of each remembers the names and answers pairs of texts."""
    rows = write_matches(tmp_path / "pairs.csv", 120)
    words = ("--text-column", "premise,hypothesis", "--encoder", encoder_folder, "--epochs", "2", "--method", method)
    assert limbeck("train", rows, *words, "--out", tmp_path / "RUN").status == 0
    predictor = load(tmp_path / "RUN")
    assert predictor.bundle.facts.pair == ("premise", "hypothesis")
    one, other = (predictor.predict([TextPair("i feel", word)]).probabilities for word in ("fine", "sad"))
    assert (one != other).any()


@pytest.mark.slow
def test_a_cleaned_and_split_file_has_both_columns(limbeck, tmp_path) -> None:
    """What they read is what they write; Parquet is read again without being told."""
    rows = write_matches(tmp_path / "pairs.csv", 60)
    pair = ("--text-column", "premise,hypothesis")
    clean = limbeck("clean", rows, *pair, "--drop", "exact-duplicates", "--out", tmp_path / "CLEAN")
    assert clean.status == 0
    split = limbeck("split", tmp_path / "CLEAN" / "data", "--out", tmp_path / "parts")
    assert split.status == 0
    ended = limbeck("audit", tmp_path / "parts", "--out", tmp_path / "AUDIT")
    assert ended.status == 0


@pytest.mark.slow
def test_what_trains_again_reads_both_texts(limbeck, encoder_folder, run, tmp_path) -> None:
    """Cross-fits, learning curves and students read the pairs of their run; one text for a student is refused."""
    assert limbeck("report", run, "--learning-curve", "--cache-dir", tmp_path / "c").status == 0
    rows = write_matches(tmp_path / "pairs.csv", 120, wrong=20)
    pair = ("--text-column", "premise,hypothesis")
    words = (rows, *pair, "--encoder", encoder_folder, "--epochs", "1", "--method", "finetune")
    assert limbeck("train", *words, "--out", tmp_path / "TEACHER").status == 0
    ended = limbeck("labels", tmp_path / "TEACHER", "--cross-fit", "2", "--rows", "5", "--out", tmp_path / "review.csv")
    assert ended.status == 0, ended.err
    ended = limbeck(
        "distil", tmp_path / "TEACHER", rows, *pair, "--layers", "1", "--epochs", "1", "--out", tmp_path / "S"
    )
    assert ended.status == 0, ended.err
    assert load(tmp_path / "S").bundle.facts.pair == ("premise", "hypothesis")
    ended = limbeck("distil", tmp_path / "TEACHER", rows, "--text-column", "premise", "--out", tmp_path / "NONE")
    assert ended.status != 0
    assert "two texts per row, premise and hypothesis" in ended.err
