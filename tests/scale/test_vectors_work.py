"""Vectors in a folder of parts: those of `limbeck features`, with the rows that they are of."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tests.scale.conftest import Answer, bytes_in, interrupted_after, rows_of, table_in

from limbeck.errors import DataError, SettingsError
from limbeck.features.extraction import extract_features
from limbeck.features.text_encoder import load_encoder
from limbeck.inference.native_engine import NativeEngine
from limbeck.model.blocks import blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import fingerprint_of
from limbeck.native.kernels import Kernels
from limbeck.scale.vectors_work import VectorsWork
from limbeck.scale.work import Vectors
from limbeck.tokens import Tokenizer


@pytest.fixture
def encode(answer: Answer, encoder_folder: Path) -> Answer:
    """Make vectors of files, in this process, in units of about 5 rows."""
    return partial(answer, run=encoder_folder, work=Vectors())


def vectors_in(folder: Path) -> np.ndarray:
    """Return the vectors of all parts, (N, F)."""
    return np.stack(table_in(folder)["features"].combine_chunks().to_numpy(zero_copy_only=False))


def expected_for(texts: list[str], encoder: Path, work: Vectors) -> np.ndarray:
    """Return what the command for one file computes."""
    engine = load_encoder(encoder).engine
    window = engine.loaded.tokenizer.window(work.window, work.max_tokens)
    blocks = blocks_for(work.pooling, work.layer, engine.layers)
    return extract_features(texts, engine, blocks, window=window).values_NF


@pytest.mark.parametrize(
    "work",
    [
        Vectors(),
        Vectors(pooling="layers"),
        Vectors(pooling="cls", layer=1, max_tokens=5),
        Vectors(max_tokens=5, window="all"),
        Vectors(vector_type="float16"),
    ],
    ids=str,
)
def test_vectors_are_those_of_the_command_for_one_file(
    encode: Answer, encoder_folder: Path, texts: Path, tmp_path: Path, work: Vectors
) -> None:
    """For every row, in order, whatever is pooled and read; and the rows' own columns stand before them."""
    found = encode(texts, work=work)
    table, rows = table_in(tmp_path / "PARTS"), rows_of(40)
    expected_NF = expected_for(rows["text"].to_pylist(), encoder_folder, work)
    assert table.column_names == ["row_id", "id", "stars", "features"]
    assert table["features"].type == pa.list_(
        pa.float16() if work.vector_type == "float16" else pa.float32(), expected_NF.shape[1]
    )
    assert table["id"].to_pylist() == rows["id"].to_pylist()
    assert table["row_id"].to_pylist()[12:14] == ["part-1.parquet:13", "part-2.parquet:1"]
    tolerance = 2e-3 if work.vector_type == "float16" else 1e-6
    np.testing.assert_allclose(vectors_in(tmp_path / "PARTS"), expected_NF, atol=tolerance)
    assert found.count_cut == (0 if work.max_tokens is None or work.window == "all" else found.count_cut) <= 40


def test_vectors_do_not_depend_on_threads(tiny_tokenizer: Tokenizer, quick_library: Kernels) -> None:
    """Of a machine with other cores a part has the same bytes, with every library of kernels."""
    torch.manual_seed(7)
    sizes = EncoderConfig(
        vocab_size=20, dim=64, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=24, initializer_range=0.3
    )
    encoder = Encoder(sizes).eval()
    loaded = LoadedEncoder(name="t", tokenizer=tiny_tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))
    texts, found = rows_of(400)["text"].to_pylist(), set()
    for threads in (1, 2, 3):
        engine = NativeEngine(loaded, quick_library, threads=threads)
        blocks, window = blocks_for("layers", None, engine.layers), tiny_tokenizer.window()
        work = VectorsWork(work=Vectors(), engine=engine, blocks=blocks, window=window)
        found.add(work.compute(texts)[0].tobytes())
    assert len(found) == 1


def test_a_column_that_is_called_as_one_of_the_parts_is_kept(encode: Answer, tmp_path: Path) -> None:
    """Under a prefix, as predictions do it."""
    table = rows_of(6).rename_columns(["id", "text", "features"])
    pq.write_table(table, tmp_path / "texts.parquet")
    encode(tmp_path / "texts.parquet")
    assert table_in(tmp_path / "PARTS").column_names == ["row_id", "id", "input.features", "features"]


def test_an_interrupted_run_goes_on(encode: Answer, texts: Path, tmp_path: Path) -> None:
    """To the same bytes."""
    encode(texts, tmp_path / "WHOLE")
    with interrupted_after(3, tmp_path / "PARTS"):
        encode(texts)
    assert encode(texts).computed == len(bytes_in(tmp_path / "WHOLE")) - 3
    assert bytes_in(tmp_path / "PARTS") == bytes_in(tmp_path / "WHOLE")


def test_rows_at_fault_and_changed_files_are_refused_as_with_answers(encode: Answer, tmp_path: Path) -> None:
    """A bad row sets its unit aside, with its number; a file that changed is named."""
    table = rows_of(40)
    bad = [*table["text"].to_pylist()[:20], "", *table["text"].to_pylist()[21:]]
    source = tmp_path / "texts.parquet"
    pq.write_table(table.set_column(1, "text", pa.array(bad)), source, row_group_size=6)
    found = encode(source)
    assert found.rows < 40
    with pytest.raises(DataError, match="row 21, column 'text'"):
        found.require_whole(tmp_path / "PARTS")
    skipped = encode(source, on_bad_row="skip")
    assert (skipped.rows, skipped.left_out) == (39, 1)
    pq.write_table(table, source, row_group_size=6)
    with pytest.raises(DataError, match="was changed"):
        encode(source, on_bad_row="skip")


@pytest.mark.parametrize(
    ("work", "said"),
    [(Vectors(layer=1), "layer was None"), (Vectors(vector_type="float16"), "vector_type was 'float32'")],
)
def test_other_vectors_are_refused(encode: Answer, texts: Path, work: Vectors, said: str) -> None:
    """With what they were."""
    encode(texts)
    with pytest.raises(SettingsError, match=f"(?s){said}.*another folder"):
        encode(texts, work=work)


def test_a_folder_of_another_command_is_refused(encode: Answer, answer: Answer, texts: Path) -> None:
    """Answers and vectors are not mixed."""
    answer(texts)
    with pytest.raises(SettingsError, match="begun by limbeck predict"):
        encode(texts)
