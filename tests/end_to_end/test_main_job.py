"""The main job from a file to predictions, by the commands of the README, with a tiny encoder."""

import importlib.util
import io
import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

import limbeck as library
from limbeck.__main__ import main
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.methods import probe_kinds
from limbeck.model.bundle import load_bundle

HANGUL = "슬픔 😀"


def figures(run):
    return json.loads((run / "metrics.json").read_text("utf-8"))


def test_train_writes_the_figures_and_the_model(trained):
    """metrics.json has the promised numbers, better than the baseline; every part of the run folder is there."""
    found = figures(trained)["validation"]
    for name in ("accuracy", "f1_weighted", "f1_macro"):
        assert isinstance(found[name], float)
        assert found["intervals"][name]["low"] <= found[name] <= found["intervals"][name]["high"]
    assert found["accuracy"] > found["baseline"]["accuracy"] + 0.2
    made = {item.relative_to(trained).as_posix() for item in trained.rglob("*") if item.is_file()}
    assert made >= {
        "run.json",
        "settings.toml",
        "predictions/validation.parquet",
        "predictions/out_of_fold.parquet",
        "pictures/confusion.png",
        "pictures/class_frequency.svg",
        "bundle/manifest.json",
    }


def test_out_of_fold_answers_cover_every_training_row_once(trained):
    """Later steps look for label errors in them: one answer a training row, by its id."""
    rows = pq.read_table(trained / "predictions" / "out_of_fold.parquet")
    assert rows["row_id"].to_pylist() == [f"train:{number + 1}" for number in range(240)]


def test_evaluate_prints_one_json_object_that_agrees_with_training(limbeck, trained, weather):
    """The saved model gives on the validation rows what training reported."""
    ended = limbeck("evaluate", trained, weather, "--split", "validation", "--json")
    found = json.loads(ended.out)
    assert ended.status == 0
    reported = figures(trained)["validation"]
    for name in ("accuracy", "f1_weighted", "f1_macro", "log_loss"):
        assert found["validation"][name] == pytest.approx(reported[name], abs=1e-5)
    assert found["validation"]["confusion"]["counts"] == reported["confusion"]["counts"]
    assert found["accuracy"] == found["validation"]["accuracy"]


def test_evaluate_shows_a_screen(limbeck, trained, weather):
    """Without --json a person reads the figures, the baseline and how many texts were cut."""
    ended = limbeck("evaluate", trained, weather)
    assert ended.status == 0
    assert "95 % interval" in ended.out
    assert "always" in ended.out
    assert "0 of 60 texts were longer than the model's limit" in ended.out


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_predict_keeps_rows_and_order(limbeck, trained, weather, tmp_path, suffix):
    """As many rows out as in, in the same order, labelled texts or not."""
    out = tmp_path / f"labels{suffix}"
    ended = limbeck("predict", trained, "--input", weather / "test.txt", "--output", out)
    assert ended.status == 0, ended.err
    found = read_predictions(out)
    texts = [line.rsplit(";", 1)[0] for line in (weather / "test.txt").read_text("utf-8").splitlines()]
    assert list(found.texts or ()) == texts
    assert found.row_ids[:2] == ("1", "2")


def test_predict_answers_words(limbeck, trained):
    """Texts given as words are answered on screen and as JSON, the most probable labels first."""
    ended = limbeck("predict", trained, "i feel so sad", "today it is fine", "--json", "--top-k", "2")
    rows = json.loads(ended.out)["rows"]
    assert [row["text"] for row in rows] == ["i feel so sad", "today it is fine"]
    assert rows[1]["prediction"] == rows[1]["top_1.label"] == "joy"
    assert rows[1]["top_1.probability"] >= rows[1]["top_2.probability"]
    assert "joy" in limbeck("predict", trained, "today it is fine").out


@pytest.mark.slow
def test_settings_of_a_run_repeat_it(limbeck, trained, weather, tmp_path):
    """`--config RUN/settings.toml` gives the same model to the bit."""
    again = tmp_path / "AGAIN"
    ended = limbeck("train", weather, "--config", trained / "settings.toml", "--out", again)
    assert ended.status == 0, ended.err
    first, second = load_bundle(trained / "bundle"), load_bundle(again / "bundle")
    assert first.head.weight.detach().numpy().tobytes() == second.head.weight.detach().numpy().tobytes()
    assert figures(again)["validation"] == figures(trained)["validation"]


@pytest.mark.slow
def test_the_test_split_is_not_looked_at(limbeck, trained, weather, tmp_path, encoder_folder):
    """Other test rows leave the model as it is, to the bit."""
    (weather / "test.txt").write_text("rain rain rain;joy\n", "utf-8")
    again = tmp_path / "AGAIN"
    limbeck("train", weather, "--encoder", encoder_folder, "--pooling", "layers", "--out", again)
    first, second = load_bundle(trained / "bundle"), load_bundle(again / "bundle")
    assert first.head.weight.detach().numpy().tobytes() == second.head.weight.detach().numpy().tobytes()


def test_labels_meet_by_name(limbeck, trained, tmp_path):
    """Rows whose own label map is smaller and in another order are scored by name, never by position."""
    rows = tmp_path / "test.csv"
    rows.write_text("text,label\nso sad !,슬픔\nrain !,슬픔\ntoday it is fine,joy\n", "utf-8")
    ended = limbeck("evaluate", trained, rows, "--json")
    assert json.loads(ended.out)["test"]["per_class"]["joy"]["recall"] == 1.0


def test_a_label_that_the_model_does_not_know_is_refused(limbeck, trained, tmp_path):
    """A new label is an error that names it, not a wrong answer."""
    rows = tmp_path / "test.csv"
    rows.write_text("text,label\nso sad,grief\n", "utf-8")
    ended = limbeck("evaluate", trained, rows)
    assert ended.status == 3
    assert "grief" in ended.err


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_half_written(limbeck, weather, encoder_folder, tmp_path, monkeypatch):
    """Interrupted in the fit: exit status 130, no figures, no model; the same command then finishes."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    command = (
        "train",
        weather,
        "--encoder",
        encoder_folder,
        "--out",
        tmp_path / "RUN",
        "--cache-dir",
        tmp_path / "cache",
    )
    with monkeypatch.context() as patched:
        patched.setattr(probe_kinds, "fit_probe", interrupted)
        ended = limbeck(*command)
    assert ended.status == 130
    assert "Nothing is half written" in ended.err
    assert not (tmp_path / "RUN" / "metrics.json").exists()
    assert not (tmp_path / "RUN" / "bundle").exists()
    assert limbeck(*command).status == 0


@pytest.mark.slow
def test_a_validation_split_is_made_in_the_open(limbeck, weather, encoder_folder, tmp_path):
    """A lone file has no validation split: one is made, said, and recorded."""
    ended = limbeck("train", weather / "train.txt", "--encoder", encoder_folder, "--out", tmp_path / "RUN")
    assert ended.status == 0, ended.err
    assert "validation" in ended.err
    rows = json.loads((tmp_path / "RUN" / "run.json").read_text("utf-8"))["data"]["rows"]
    assert sum(rows.values()) == 240
    assert 12 <= rows["validation"] <= 36


def test_the_library_and_the_command_line_agree(trained):
    """`limbeck.load(RUN)` answers what the command line answers."""
    found = library.load(trained).predict(["today it is fine", "so sad"])
    assert found.predicted_names[0] == "joy"
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)


def test_features_are_written_in_row_order(limbeck, weather, encoder_folder, tmp_path):
    """One row a text, in the order of the file, the same numbers as `load_encoder(…).encode`."""
    out = tmp_path / "features.npy"
    ended = limbeck("features", weather, "--split", "test", "--encoder", encoder_folder, "--out", out)
    assert ended.status == 0, ended.err
    texts = [line.rsplit(";", 1)[0] for line in (weather / "test.txt").read_text("utf-8").splitlines()]
    expected = library.load_encoder(encoder_folder).encode(texts, pooling="mean")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)


def test_the_cache_is_listed_and_cleared(limbeck, weather, encoder_folder, tmp_path):
    """What extraction kept is shown with its size, and gone after `cache clear`."""
    extract = ("features", weather, "--encoder", encoder_folder, "--cache-dir", tmp_path / "cache")
    for split in ("test", "validation"):
        assert limbeck(*extract, "--split", split, "--out", tmp_path / f"{split}.npy").status == 0
    assert "0 texts encoded now" in limbeck(*extract, "--split", "test", "--out", tmp_path / "again.npy").out
    listed = json.loads(limbeck("cache", "list", "--cache-dir", tmp_path / "cache", "--json").out)
    assert [entry["texts"] > 0 for entry in listed["entries"]] == [True]
    assert "removed 1 entry" in limbeck("cache", "clear", "--cache-dir", tmp_path / "cache").out
    assert json.loads(limbeck("cache", "list", "--cache-dir", tmp_path / "cache", "--json").out)["entries"] == []


def test_what_reading_left_out_is_told_by_every_command(limbeck, trained, tmp_path):
    """--on-bad-row skip is counted on screen when predicting, scoring and extracting, not only when training."""
    gaps = tmp_path / "gaps.csv"
    gaps.write_text("text,label,split\nso sad,sadness,test\n  ,joy,test\ntoday fine,joy,test\n", "utf-8")
    skip = ("--on-bad-row", "skip")
    for words in (
        ("predict", trained, "--input", gaps, "--output", tmp_path / "labels.csv"),
        ("evaluate", trained, gaps),
        ("features", gaps, "--encoder", trained / "bundle", "--out", tmp_path / "features.npy"),
    ):
        ended = limbeck(*words, *skip)
        assert "rows with an empty text, left out: 1 (first: " in ended.err, ended.err


def test_top_k_is_what_was_asked_for(limbeck, trained):
    """None at all is refused; without --top-k a program gets each probability once."""
    assert limbeck("predict", trained, "so sad", "--top-k", "0").status == 2
    (row,) = json.loads(limbeck("predict", trained, "so sad", "--json").out)["rows"]
    assert not [name for name in row if name.startswith("top_")]


def in_this_process(encoding, monkeypatch, *words):
    """Run a command on a screen of that encoding, made as Python makes it: status, and what was written."""
    written = {name: io.BytesIO() for name in ("stdout", "stderr")}
    with monkeypatch.context() as patched, pytest.raises(SystemExit) as ended:
        for name, raw in written.items():
            errors = "strict" if name == "stdout" else "backslashreplace"
            patched.setattr(sys, name, io.TextIOWrapper(raw, encoding=encoding, errors=errors))
        patched.setattr(sys, "argv", ["limbeck", *map(str, words)])
        try:
            main()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            held = sys.stdout.detach(), sys.stderr.detach()
    return ended.value.code or 0, *(raw.getvalue() for raw in held)


@pytest.mark.parametrize(
    "encoding", ["cp949", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ascii", "latin-1"))]
)
def test_a_screen_that_is_not_utf_8_gets_every_answer(trained, weather, encoding, monkeypatch):
    """Hangul, dashes and quotes never end in a traceback; JSON stays JSON with the same content."""
    status, out, err = in_this_process(encoding, monkeypatch, "evaluate", trained, weather)
    said = err.decode(encoding).splitlines()
    assert (status, [line for line in said if "rows were learned from" not in line]) == (0, [])
    assert b"95 % interval" in out
    require_an_answer(encoding, *in_this_process(encoding, monkeypatch, "predict", trained, HANGUL, "--json"))


def require_an_answer(encoding, status, out, err):
    """JSON with the text as it was given."""
    assert status == 0, err
    (row,) = json.loads(out.decode(encoding))["rows"]
    assert row["text"] == HANGUL
    assert "probability.슬픔" in row


@pytest.mark.slow
def test_a_shell_that_is_not_utf_8_gets_an_answer(trained):
    """The same in a process of its own, as a shell starts it."""
    environment = {**os.environ, "PYTHONIOENCODING": "cp949"}
    command = [sys.executable, "-m", "limbeck", "predict", str(trained), HANGUL, "--json"]
    ended = subprocess.run(command, capture_output=True, check=False, env=environment)
    require_an_answer("cp949", ended.returncode, ended.stdout, ended.stderr)


def test_a_text_cannot_command_the_terminal(limbeck, trained):
    """Escape sequences in a text are shown by number, and a text as long as a book does not flood the screen."""
    ended = limbeck("predict", trained, "\x1b]0;owned\x07 so sad", "so [bold]fine[/bold] " + "rain " * 20_000)
    assert "\x1b" not in ended.out
    assert r"\u001b]0;owned\u0007 so sad" in ended.out.replace("\n", "")
    assert "[bold]fine[/bold]" in ended.out
    assert "100,021 characters" in ended.out
    assert len(ended.out) < 5_000


@pytest.mark.slow
def test_the_next_step_is_one_that_works(limbeck, encoder_folder, weather, tmp_path):
    """After training comes the command that scores the test split as it was read; without one, that labels texts."""
    folder = tmp_path / "two words"
    weather.rename(folder)
    made = ("--encoder", encoder_folder, "--overwrite")
    ended = limbeck("train", folder, *made, "--out", tmp_path / "RUN", "--encoding", "utf-8-sig")
    assert ended.status == 0, ended.err
    words = shlex.split(ended.out.splitlines()[-1].removeprefix("Next: "))
    assert words[-2:] == ["--encoding", "utf-8-sig"]
    assert limbeck(*words[1:]).status == 0
    ended = limbeck("train", folder / "train.txt", *made, "--out", tmp_path / "RUN")
    words = shlex.split(ended.out.splitlines()[-1].removeprefix("Next: "))
    assert words[:3] == ["limbeck", "predict", str(tmp_path / "RUN")]


@pytest.mark.slow
def test_a_run_is_whole_without_matplotlib(limbeck, encoder_folder, weather, tmp_path, monkeypatch):
    """Where pictures cannot be drawn the run still ends well, and says what to install."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    ended = limbeck("train", weather, "--encoder", encoder_folder, "--out", tmp_path / "RUN")
    assert ended.status == 0
    assert 'pip install "limbeck[charts]"' in ended.err
    assert "Next: limbeck evaluate" in ended.out


@pytest.mark.parametrize("out", ["scores.xlsx", "taken.csv", "rows.csv"])
@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_no_row_is_scored_for_a_file_that_cannot_be_written(limbeck, trained, tmp_path, command, out, monkeypatch):
    """An unknown suffix, a folder, and the rows themselves are refused before a model is loaded."""
    (tmp_path / "rows.csv").write_text("text,label\ni feel so fine,joy\n", "utf-8")
    (tmp_path / "taken.csv").mkdir()
    monkeypatch.setattr("limbeck.inference.predictor.load", lambda *_, **__: pytest.fail("the model was loaded"))
    rows = ["--input", tmp_path / "rows.csv", "--output"] if command == "predict" else [tmp_path / "rows.csv", "--out"]
    ended = limbeck(command, trained, *rows, tmp_path / out)
    assert ended.status in (2, 6), ended.err
    assert (tmp_path / "rows.csv").read_text("utf-8").startswith("text,label")


def test_predictions_in_upper_case(limbeck, trained, tmp_path):
    """OUT.CSV is a CSV file."""
    out = tmp_path / "OUT.CSV"
    (tmp_path / "rows.txt").write_text("i feel so fine\n", "utf-8")
    assert limbeck("predict", trained, "--input", tmp_path / "rows.txt", "--output", out).status == 0
    assert read_predictions(out).texts == ("i feel so fine",)


def test_a_file_without_splits_is_scored(limbeck, trained, tmp_path):
    """`evaluate RUN new.csv` scores every row of it and says so; of several splits without a test one must be named."""
    rows = tmp_path / "new.csv"
    rows.write_text("text,label\nso sad !,슬픔\ntoday it is fine,joy\n", "utf-8")
    ended = limbeck("evaluate", trained, rows)
    assert ended.status == 0, ended.err
    assert f"{rows} has one split, train: all of its 2 rows are scored" in ended.err
    assert limbeck("evaluate", trained, rows, "--split", "test").status == 3
    rows.write_text("text,label,split\n" + "it is fine,joy,train\nit is fine,joy,validation\n" * 3, "utf-8")
    ended = limbeck("evaluate", trained, rows)
    assert ended.status == 3
    assert "has no split 'test', but train, validation: name the one to score by --split" in ended.err


@pytest.mark.slow
def test_rows_that_were_learned_from_are_told(limbeck, trained, weather, tmp_path):
    """Scoring on training texts is said with their number, by the command and by the library; else nothing is."""
    own = sorted({line.rsplit(";", 1)[0] for line in (weather / "train.txt").read_text("utf-8").splitlines()})
    rows = tmp_path / "new.csv"
    lines = [f"  {own[0].upper()},joy", f"{own[1]},sadness", "nobody wrote that before,joy"]
    rows.write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")
    ended = limbeck("evaluate", trained, rows)
    assert "2 of 3 rows were learned from" in ended.err
    assert json.loads(limbeck("evaluate", trained, rows, "--json").out)["learned_rows"] == 2
    assert library.score(library.load(trained), library.read(rows)).learned_rows == 2
    rows.write_text("text,label\nnobody wrote that before,joy\n", "utf-8")
    assert "learned from" not in limbeck("evaluate", trained, rows).err
    assert library.score(library.load(trained / "bundle"), library.read(rows)).learned_rows is None
