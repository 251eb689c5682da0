"""Folders of sentence-transformers open as encoders, wherever in them the BERT lies."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import limbeck
from limbeck.errors import WeightsError
from limbeck.model.loaded_encoder import LoadedEncoder

TEXTS = ["i feel fine", "so very sad today . it is rain"]
OLD = "sentence_transformers.models.Transformer"
NEW = "sentence_transformers.base.modules.transformer.Transformer"


def write_modules(folder: Path, *modules: tuple[str, str]) -> None:
    listed = [
        {"idx": place, "name": str(place), "path": path, "type": kind} for place, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))


@pytest.fixture
def sentence_folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """The older layout: the transformer lies in 0_Transformer."""
    folder = tmp_path / "sentences"
    shutil.copytree(tiny_folder, folder / "0_Transformer")
    write_modules(folder, ("0_Transformer", OLD), ("1_Pooling", "sentence_transformers.models.Pooling"))
    return folder


@pytest.mark.parametrize("kind", [OLD, NEW])
@pytest.mark.parametrize("place", ["0_Transformer", ""])
def test_the_first_module_is_the_encoder(
    sentence_folder: Path, tiny_loaded: LoadedEncoder, place: str, kind: str
) -> None:
    """At the root or in a folder of its own, old or new class names: the same weights, the same vectors."""
    if not place:
        shutil.copytree(sentence_folder / "0_Transformer", sentence_folder, dirs_exist_ok=True)
    write_modules(sentence_folder, (place, kind))
    encoder = limbeck.load_encoder(sentence_folder)
    assert encoder.engine.loaded.fingerprint == tiny_loaded.fingerprint
    assert encoder.encode(TEXTS).shape == (2, 16)


@pytest.mark.slow
def test_what_sentence_transformers_saves_opens(tiny_folder: Path, tmp_path: Path) -> None:
    """A model with mean pooling, saved by the library itself: its vectors are ours."""
    library = pytest.importorskip("sentence_transformers", reason="a peer of benchmarks/, not needed otherwise")
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(tiny_folder))
    pooling = modules.Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    theirs = library.SentenceTransformer(modules=[transformer, pooling], device="cpu")
    theirs.save(str(tmp_path / "saved"))
    ours = limbeck.load_encoder(tmp_path / "saved").encode(TEXTS, pooling="mean")
    np.testing.assert_allclose(ours, theirs.encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([("", "sentence_transformers.models.StaticEmbedding")], "begins with sentence_transformers.models.Static"),
        ([("../elsewhere", OLD)], "not inside"),
        ([("/etc", OLD)], "not inside"),
        ([("1_Gone", OLD)], "not there"),
        ([], "does not list modules"),
    ],
)
def test_other_folders_are_refused(sentence_folder: Path, modules: list[tuple[str, str]], message: str) -> None:
    """A model that begins with something else, or a path that leads out of the folder, is told."""
    write_modules(sentence_folder, *modules)
    with pytest.raises(WeightsError, match=message):
        limbeck.load_encoder(sentence_folder)


def test_a_lower_casing_that_the_tokenizer_lacks_is_refused(sentence_folder: Path) -> None:
    """do_lower_case beside a tokenizer that keeps capitals would give other vectors in silence."""
    inner = sentence_folder / "0_Transformer"
    (inner / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24, "do_lower_case": True}))
    assert limbeck.load_encoder(sentence_folder).encode(TEXTS).shape == (2, 16)
    definition = json.loads((inner / "tokenizer.json").read_text("utf-8"))
    definition["normalizer"]["lowercase"] = False
    definition["model"]["vocab"]["A"] = 19
    definition["model"]["vocab"]["##B"] = 18
    definition["model"]["vocab"]["##C"] = 17
    (inner / "tokenizer.json").write_text(json.dumps(definition), "utf-8")
    with pytest.raises(WeightsError, match="do_lower_case, and the tokenizer beside it keeps capitals"):
        limbeck.load_encoder(sentence_folder)
