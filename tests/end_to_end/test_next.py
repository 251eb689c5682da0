"""Every "Next:" line that a command prints works when it is copied: each is run here as it stands."""

import ast
import csv
import shlex
from pathlib import Path

import pytest

import limbeck as library
from limbeck.cli import screen
from limbeck.methods import probe as probe_training
from limbeck.methods.trainings import ProbeTraining
from limbeck.reading import read as reading
from limbeck.settings import FeatureSettings

pytestmark = pytest.mark.slow

CLI = Path(library.__file__).parent / "cli"


@pytest.fixture
def follow(limbeck, encoder_folder, tmp_path, monkeypatch):
    """Run a command, then each line that it names next; give how it and they ended."""
    monkeypatch.chdir(tmp_path)

    def run(*words, tiny=True):
        first = limbeck(*words, *(("--encoder", encoder_folder) if tiny else ()))
        assert first.status == 0, first.err
        lines = next_of(first)
        assert lines, f"{words[0]} names nothing to do next"
        ended = []
        for line in lines:
            name, *rest = shlex.split(line)
            assert name == "limbeck"
            rest = [str(tmp_path / "weather") if word == "YOUR_DATA" else word for word in rest]
            # The usual encoder takes seconds; nothing else of the line is changed.
            usual = (
                ["--encoder", str(encoder_folder)]
                if rest[0] == "train" and not {"--encoder", "--config"} & {*rest}
                else []
            )
            ended.append((line, limbeck(*rest, *usual)))
        for line, one in ended:
            assert one.status == 0, f"{line}\n{one.err}"
        return first, [line for line, _ in ended], [one for _, one in ended]

    return run


def next_of(ended):
    """The lines to type next."""
    return [line.removeprefix("Next: ") for line in ended.out.splitlines() if line.startswith("Next: ")]


def rows_of(path, extra=(), wrong=()):
    """Write a CSV whose columns have names that must be given, one of them with a space; some labels may be wrong."""
    lines = [
        {"my text": f"{word} number {place} so {place * 7919 % 101}", "my label": label}
        for place in range(60)
        for word, label in [("i feel fine", "joy") if place % 2 else ("rain and sad", "sadness")]
    ]
    for place in wrong:
        lines[place]["my label"] = "joy" if lines[place]["my label"] == "sadness" else "sadness"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["my text", "my label"])
        writer.writeheader()
        writer.writerows([*lines, *extra])
    return path


COLUMNS = ("--text-column", "my text", "--label-column", "my label")


def test_a_demo_can_be_gone_on_with(follow, limbeck, encoder_folder, weather, tmp_path, monkeypatch):
    """Demo, report, labels, corrected labels, training again: each is the line that the one before printed."""
    tiny = ProbeTraining(features=FeatureSettings(encoder=str(encoder_folder), pooling="layers"))
    train = probe_training.train_probe
    monkeypatch.setattr(
        probe_training, "train_probe", lambda data, out, settings=tiny, **more: train(data, out, settings, **more)
    )
    read = reading.read_with
    monkeypatch.setattr(
        reading, "read_with", lambda path, *more: read(str(weather) if path == "sample" else path, *more)
    )
    _, lines, ended = follow("demo", "--out", "a demo", tiny=False)
    wanted = ["limbeck predict 'a demo' 'your text'", "limbeck report 'a demo'", "limbeck train YOUR_DATA --out RUN"]
    assert lines == wanted
    (line,) = next_of(ended[1])
    assert line == "limbeck labels 'a demo' --out review.csv"
    (line,) = next_of(limbeck(*shlex.split(line)[1:]))
    review(tmp_path / "review.csv")
    _, lines, _ = follow(*shlex.split(line)[1:], tiny=False)
    assert lines == ["limbeck train corrected/data --out RUN2"]


def review(sheet):
    """Take the first suggestion of a sheet."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["new_label"] = "ok"
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_data_are_followed_from_audit_to_use(follow, tmp_path):
    """Audit, clean, split, train, evaluate, report, by the lines alone; columns that were named are named again."""
    empty = {"my text": "", "my label": "joy"}
    data = rows_of(tmp_path / "my data.csv", extra=[empty])
    _, lines, _ = follow("audit", data, "--out", "audit", "--no-page", *COLUMNS)
    assert lines[0].startswith(f"limbeck clean '{data}' --drop empty --out cleaned --text-column 'my text'")
    _, lines, _ = follow("clean", data, "--drop", "empty", "--out", "tidy", *COLUMNS, tiny=False)
    assert lines == ["limbeck split tidy/data --out splits"]
    _, lines, _ = follow("split", "tidy/data", "--out", "parts", "--near-threshold", "1", tiny=False)
    assert lines == ["limbeck train parts --out RUN"]
    _, lines, _ = follow("train", "parts", "--out", "two words")
    assert lines == ["limbeck evaluate 'two words' parts --split test"]
    _, lines, _ = follow("evaluate", "two words", "parts", tiny=False)
    assert lines == ["limbeck report 'two words'"]
    _, lines, _ = follow("audit", data.with_name("parts"), "--out", "audit2", "--no-page")
    assert lines[0].startswith(f"limbeck train {tmp_path / 'parts'} --out RUN")


def test_labels_are_reviewed_with_the_columns_of_the_run(follow, tmp_path):
    """The line after the sheet reads the data as the run did, and never over an older folder or sheet."""
    data = rows_of(tmp_path / "rows.csv", wrong=(3, 20, 41))
    (tmp_path / "corrected").mkdir()
    _, lines, _ = follow("train", data, "--out", "R", *COLUMNS)
    assert lines == ["limbeck predict R 'your text'"]
    _, lines, _ = follow("labels", "R", tiny=False)
    assert lines == ["limbeck labels R --out review.csv"]
    review(tmp_path / "review.csv")
    _, lines, _ = follow("labels", "R", "--rows", "5", tiny=False)
    assert lines == ["limbeck labels R --out review2.csv"]
    _, lines, _ = follow("labels", "apply", "review.csv", data, "--out", "after", *COLUMNS, tiny=False)
    assert lines == ["limbeck train after/data --out RUN"]


def test_the_sheet_names_what_reads_its_data(limbeck, follow, tmp_path, monkeypatch):
    """`labels RUN --out` prints `labels apply` with the run's own columns."""
    data = rows_of(tmp_path / "rows.csv", wrong=(3, 20, 41))
    follow("train", data, "--out", "R", *COLUMNS)
    ended = limbeck("labels", "R", "--out", "s.csv")
    line = ended.out.splitlines()[-1]
    assert line == (
        f"Next: limbeck labels apply s.csv {data} --out corrected --text-column 'my text' --label-column 'my label'"
    )
    review(tmp_path / "s.csv")
    assert limbeck(*shlex.split(line)[2:]).status == 0


def test_a_threshold_and_a_sweep(follow, trained, weather):
    """Both end with a line that works: the first uses the model, the second trains by what it found."""
    _, lines, _ = follow("threshold", "RUN", "--coverage", "0.8", tiny=False)
    assert lines == ["limbeck predict RUN 'your text'"]
    settings = ("--method", "head", "--epochs", "1", "--trials", "1")
    _, lines, _ = follow("sweep", weather, "--out", "S W", *settings)
    assert lines == [f"limbeck train {weather} --config 'S W/best.toml' --out RUN2"]


def test_a_pretrained_encoder_and_a_student(follow, trained, weather, encoder_folder, tmp_path):
    """What pretrain and distil name next works too; the data that only the user has are called YOUR_DATA."""
    (tmp_path / "texts.txt").write_text("i feel so fine today .\nit is rain today\n" * 60, "utf-8")
    quick = ("--steps", "2", "--stretches", "1", "--head-steps", "2", "--max-tokens", "16", "--precision", "float32")
    made = ("--teacher", encoder_folder, "--layers", "1", "--out", "P")
    _, lines, _ = follow("pretrain", "texts.txt", *made, *quick, tiny=False)
    assert lines == ["limbeck train YOUR_DATA --method finetune --encoder P/encoder --out RUN2"]
    quick = ("--layers", "1", "--epochs", "1", "--precision", "float32")
    _, lines, _ = follow("distil", "RUN2", weather, "--out", "D", *quick, tiny=False)
    assert lines == [f"limbeck evaluate D {weather} --split test"]
    few = ("--trials", "1", "--config", "few.toml")
    (tmp_path / "few.toml").write_text('[distil]\nlayers = 1\nepochs = 1\nprecision = "float32"\n', "utf-8")
    _, lines, _ = follow("sweep", weather, "--method", "distil", "--teacher", "RUN2", "--out", "S", *few, tiny=False)
    assert lines == [f"limbeck distil RUN2 {weather} --config S/best.toml --out RUN3"]
    table = f'[pretrain]\nteacher = "{encoder_folder}"\nlayers = 1\nsteps = 2\nhead_steps = 2\nmax_tokens = 16\n'
    (tmp_path / "few.toml").write_text(table, "utf-8")
    _, lines, _ = follow("sweep", "texts.txt", "--method", "pretrain", "--out", "T", *few, tiny=False)
    assert lines == ["limbeck pretrain texts.txt --config T/best.toml --out RUN4"]


def calls_of(path):
    """The functions of `screen` that a file of the command line calls."""
    return {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_nothing_else_prints_what_comes_next():
    """One function writes these lines, so they are always quoted; each command that calls it is followed here."""
    own = {
        path for path in CLI.glob("*.py") if {"show_next", "show_scoring_next", "show_predict_next"} & calls_of(path)
    }
    followed = {
        "audit", "clean", "demo", "distil", "evaluate", "labels", "pretrain", "report", "split", "sweep", "threshold",
        "train", "publish",
    }  # fmt: skip
    assert {path.stem for path in own} == followed  # publish: see tests/hub/test_commands.py
    others = [
        path for path in CLI.parent.rglob("*.py") if path.name != "screen.py" and "Next:" in path.read_text("utf-8")
    ]
    assert others == []


def test_a_free_place(tmp_path):
    """A folder or sheet that is there is not named again."""
    (tmp_path / "review.csv").touch()
    (tmp_path / "review2.csv").touch()
    assert screen.free_place(str(tmp_path / "review.csv")) == str(tmp_path / "review3.csv")
    assert screen.free_place(str(tmp_path / "RUN")) == str(tmp_path / "RUN")
