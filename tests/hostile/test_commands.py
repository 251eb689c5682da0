"""Wrong words on the command line: each ends with its own status and a message that says what to do."""

import sys

import pytest
from tests.command_line import built

from limbeck.__main__ import main

CASES = {
    "a source that is not there": (["train", "nowhere.csv", "--out", "RUN"], 6, "nowhere.csv"),
    "a method that does not exist": (["train", "good.csv", "--method", "svm", "--out", "RUN"], 2, "svm"),
    "a pooling that does not exist": (
        ["train", "good.csv", "--pooling", "men", "--out", "RUN"],
        2,
        "one of 'cls', 'mean'",
    ),
    "a layer that does not exist": (
        ["train", "good.csv", "--encoder", "ENCODER", "--layer", "9", "--out", "RUN"],
        2,
        "0 (embeddings) to 2",
    ),
    "a balance that does not exist": (["train", "good.csv", "--balance", "smite", "--out", "RUN"], 2, "smote"),
    "an encoder that is neither preset nor folder": (
        ["train", "good.csv", "--encoder", "minilmm", "--out", "RUN"],
        4,
        "did you mean 'minilm'",
    ),
    "an encoder of the hub that is written wrongly": (
        ["train", "good.csv", "--encoder", "hub:distilbert base", "--out", "RUN"],
        2,
        "write hub:OWNER/NAME",
    ),
    "more tokens than the encoder reads": (
        ["train", "good.csv", "--encoder", "ENCODER", "--max-tokens", "5000", "--out", "RUN"],
        2,
        "3 to 24",
    ),
    "no tokens at all": (
        ["train", "good.csv", "--encoder", "ENCODER", "--max-tokens", "0", "--out", "RUN"],
        2,
        "max_tokens = 0 is not possible",
    ),
    "a seed below nothing": (
        ["train", "good.csv", "--encoder", "ENCODER", "--seed", "-1", "--out", "RUN"],
        2,
        "seed = -1 is not possible",
    ),
    "a seed that is too long": (
        ["split", "good.csv", "--seed", "99999999999", "--out", "RUN"],
        2,
        "seed = 99999999999 is not possible",
    ),
    "a device that is absent": (
        ["train", "good.csv", "--encoder", "ENCODER", "--device", "cuda", "--out", "RUN"],
        2,
        "cuda",
    ),
    "a settings file that is not there": (["train", "good.csv", "--config", "no.toml", "--out", "RUN"], 2, "no.toml"),
    "a settings file with a slip": (["train", "good.csv", "--config", "slip.toml", "--out", "RUN"], 2, "'pooling'"),
    "an encoding that does not exist": (["train", "good.csv", "--encoding", "utf9", "--out", "RUN"], 2, "utf9"),
    "a text column that does not exist": (
        ["train", "good.csv", "--text-column", "txet", "--out", "RUN"],
        3,
        "txet",
    ),
    "one fold": (["train", "good.csv", "--encoder", "ENCODER", "--folds", "1", "--out", "RUN"], 2, "at least 2"),
    "a folder of somebody else as run": (["train", "good.csv", "--out", "mine"], 2, "not a run's"),
    "a file as run": (
        ["train", "good.csv", "--out", "good.csv"],
        6,
        "good.csv: a file stands where a folder was expected",
    ),
    "only test rows": (["train", "test.csv", "--encoder", "ENCODER", "--out", "RUN"], 3, "no train split"),
    "one class": (["train", "one_class.csv", "--encoder", "ENCODER", "--out", "RUN"], 3, "tell 2 or more apart"),
    "a run that is not there": (["evaluate", "RUN", "good.csv"], 4, "does not exist"),
    "a folder that is no run": (["evaluate", "mine", "good.csv"], 4, "neither a run folder nor a bundle"),
    "no texts to label": (["predict", "RUN"], 2, "either texts, or --input"),
    "texts and a file": (["predict", "RUN", "so sad", "--input", "good.csv"], 2, "either texts, or --input"),
    "an empty text to label": (["predict", "RUN", "so sad", "  "], 3, "text 2 is empty"),
    "standard input with an output": (["predict", "RUN", "-", "--output", "x.csv"], 2, "leave --output out"),
    "an output of unknown format": (
        ["predict", "RUN", "--input", "good.csv", "--output", "labels.xlsx"],
        2,
        ".parquet",
    ),
    "features of unknown format": (["features", "good.csv", "--out", "x.pkl"], 2, "end its name with .npy, .parquet"),
    "tokens beyond the limit": (["tokens", "so sad", "--encoder", "ENCODER", "--max-tokens", "2"], 2, "3 to 24"),
    "a command that does not exist": (["trian", "good.csv"], 2, "trian"),
    "an option that does not exist": (["train", "good.csv", "--outt", "RUN"], 2, "--outt"),
}

ROWS = "{0}sad,sadness\n{0}today fine,joy\n"


@pytest.mark.parametrize("case", CASES)
def test_wrong_words(case, tmp_path, tiny_folder, monkeypatch, capfd):
    """The status is that of the error table, the message names the fault, and nothing is left behind."""
    (tmp_path / "good.csv").write_text("text,label\n" + "".join(ROWS.format("so " * number) for number in range(20)))
    (tmp_path / "test.csv").write_text("text,label\nso sad,sadness\ntoday fine,joy\n")
    (tmp_path / "one_class.csv").write_text(
        "text,label\n" + "".join(f"very {'so ' * number},sadness\n" for number in range(20))
    )
    (tmp_path / "slip.toml").write_text('[features]\npoling = "cls"\n')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    words, status, said = CASES[case]
    words = [str(tiny_folder) if word == "ENCODER" else word for word in words]
    before = {item.relative_to(tmp_path) for item in tmp_path.rglob("*")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("limbeck.cli.app.app", built())
    monkeypatch.setattr(sys, "argv", ["limbeck", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capfd.readouterr()
    assert ended.value.code == status, shown.err
    assert said in shown.err.replace("\n", " ")
    assert shown.out == ""
    left = {item.relative_to(tmp_path) for item in tmp_path.rglob("*")} - before
    assert {str(item) for item in left} <= {"RUN", "RUN/.lock"}
