"""`limbeck features` into a folder of parts, as people type it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def texts(tmp_path):
    """Two files of three and two rows."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a-1.csv").write_text("id,review,label\n007,i feel fine,joy\n008,so sad,sadness\n009,sun,joy\n", "utf-8")
    (folder / "a-2.csv").write_text("id,review,label\n010,it is rain,sadness\n011,sun sun,joy\n", "utf-8")
    return folder


def test_vectors_are_written_and_gone_on_with(limbeck, encoder_folder, texts, tmp_path):
    """The same numbers as in one file; the second call computes nothing; labels are a column like others."""
    words = ("features", texts / "a-*.csv", "--encoder", encoder_folder, "--out", tmp_path / "PARTS", "--on", "here")
    ended = limbeck(*words)
    assert (ended.status, "5 rows in 2 parts;" in ended.out) == (0, True), ended.err
    found = pd.read_parquet(tmp_path / "PARTS")
    assert found["label"].tolist() == ["joy", "sadness", "joy", "sadness", "joy"]
    assert json.loads(limbeck(*words, "--json").out)["computed"] == 0
    for name in ("a-1", "a-2"):
        one = limbeck(
            "features", texts / f"{name}.csv", "--encoder", encoder_folder, "--out", tmp_path / f"{name}.parquet"
        )
        assert one.status == 0, one.err
    whole = pd.concat([pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("a-1", "a-2")])
    np.testing.assert_allclose(np.stack(found["features"]), np.stack(whole["features"]), atol=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "PARTS", "--split", "train"), "--split has no meaning for a folder of parts"),
        (("--out", "PARTS", "--label-column", "label"), "--label-column has no meaning"),
        (("--out", "PARTS", "--part-format", "csv"), "limbeck features writes parts of parquet"),
        (("--out", "PARTS", "--window", "auto"), "window = 'auto'"),
        (("--out", "PARTS", "--layer", "9"), "layer"),
        (("--out", "all.npy"), "means several files"),
    ],
)
def test_what_parts_cannot_be_is_refused(limbeck, encoder_folder, texts, tmp_path, monkeypatch, words, said):
    """With what to do, and before anything is written."""
    monkeypatch.chdir(tmp_path)
    ended = limbeck("features", texts / "a-*.csv", "--encoder", encoder_folder, *words)
    assert (ended.status, said in ended.err) == (2, True), ended.err
    assert not list(tmp_path.glob("PARTS/part-*"))


def test_vector_type_is_of_parts_alone(limbeck, encoder_folder, texts, tmp_path):
    """A file has float32, as ever."""
    ended = limbeck(
        "features", texts / "a-1.csv", "--encoder", encoder_folder, "--out", tmp_path / "all.npy",
        "--vector-type", "float16",
    )  # fmt: skip
    assert (ended.status, "--vector-type is about a folder of parts" in ended.err) == (2, True), ended.err


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_bytes(encoder_folder, tmp_path):
    """Kill -9 of a command that computes by itself, in the middle of its units; workers are killed in tests/scale."""
    words = ["i feel fine", "so sad", "it is rain !", "sun", "very very sad today ."]
    pq.write_table(pa.table({"text": [words[n % 5] for n in range(4_000)]}), tmp_path / "t.parquet", row_group_size=50)

    def command(out):
        line = [
            sys.executable, "-m", "limbeck", "features", tmp_path / "t.parquet", "--encoder", encoder_folder,
            "--out", out, "--unit-tokens", "400", "--on", "here",
        ]  # fmt: skip
        return subprocess.Popen([*map(str, line)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    killed = command(tmp_path / "PARTS")
    while not (done := list((tmp_path / "PARTS").glob("part-*"))) and killed.poll() is None:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert done
    for out in ("PARTS", "WHOLE"):
        assert command(tmp_path / out).wait() == 0
    parts = {path.name: path.read_bytes() for path in (tmp_path / "PARTS").glob("part-*")}
    assert parts == {path.name: path.read_bytes() for path in (tmp_path / "WHOLE").glob("part-*")}
