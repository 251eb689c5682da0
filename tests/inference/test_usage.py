"""Usage: blocks, head and texts that a certificate asks about are those that are used."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limbeck.inference.usage import (
    MOST_OWN_CHARACTERS,
    MOST_OWN_TEXTS,
    Usage,
    some_of,
    texts_of,
    validation_texts,
)
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.bundle import Bundle
from limbeck.reading.read import read
from limbeck.settings import HeadKind


def test_an_encoder_alone_may_be_pooled_in_any_way() -> None:
    """All poolings of all hidden states are asked about."""
    assert Usage().blocks(2) == blocks_for("layers", None, 2)
    assert Block(layer=2, pooling="mean") in Usage().blocks(2)


def test_a_trained_model_is_asked_about_what_its_head_sees(make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """Its own blocks alone; a head on a frozen encoder is judged as the encoder is."""
    trained = make_bundle("classification")
    assert Usage(classifier=trained).blocks(2) == (Block(layer=2, pooling="cls"),)
    provenance = {"encoder": {"weights": trained.loaded.fingerprint}}
    frozen = replace(trained, facts=replace(trained.facts, provenance=provenance))
    assert Usage(classifier=frozen).judge is None
    assert Usage(classifier=frozen).digest() == Usage().digest()


def test_what_decides_a_certificate_is_in_its_digest(make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """Other texts, or another head, are asked anew."""
    models = [None, make_bundle("classification"), make_bundle("linear")]
    digests = {Usage(classifier=one, texts=texts).digest() for one in models for texts in ((), ("a",), ("a", "b"))}
    assert len(digests) == 9


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "a", "b"], [f"text {n}" for n in range(1_000)]])
def test_some_texts_are_different_and_always_the_same(texts: list[str]) -> None:
    """Drawn over all of them, at most so many."""
    found = some_of(texts)
    assert found == some_of(list(texts))
    assert len(set(found)) == len(found) == min(len(set(texts)), MOST_OWN_TEXTS)
    assert set(found) <= set(texts)
    if len(texts) == 1_000:
        assert any(int(text.split()[1]) > 900 for text in found)


def test_long_texts_are_few() -> None:
    """What is compared takes seconds, whatever the lengths; the last one is cut."""
    assert sum(map(len, some_of([f"{n} " + "x" * 30_000 for n in range(9)]))) == MOST_OWN_CHARACTERS
    assert some_of(["y" * 10**6]) == ("y" * MOST_OWN_CHARACTERS,)


def test_a_run_folder_keeps_validation_texts(tmp_path: Path) -> None:
    """Those of its answers; a folder without them, a damaged file or one without texts has none."""
    place = tmp_path / "predictions" / "validation.parquet"
    assert validation_texts(tmp_path) == ()
    place.parent.mkdir()
    pq.write_table(pa.table({"text": ["나는", None, "b"], "row_id": ["1", "2", "3"]}), place)
    assert validation_texts(tmp_path) == ("나는", "b")
    pq.write_table(pa.table({"row_id": ["1"]}), place)
    assert validation_texts(tmp_path) == ()
    place.write_bytes(b"PAR1")
    assert validation_texts(tmp_path) == ()


def test_a_data_set_has_validation_texts_or_none(tmp_path: Path) -> None:
    """Never those of training or test."""
    (tmp_path / "both.csv").write_text("text,label,split\na,x,train\nb,x,validation\nc,x,test\nd,y,train\n")
    (tmp_path / "one.csv").write_text("text,label\na,x\nb,y\n")
    assert texts_of(read(tmp_path / "both.csv")) == ("b",)
    assert texts_of(read(tmp_path / "one.csv")) == ()
