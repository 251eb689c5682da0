"""Audit, clean and split as functions: rows go from hand to hand, and nothing is written unasked."""

import pytest

import limbeck
from limbeck.api.found_tokenizers import FoundTokenizers
from limbeck.errors import SettingsError


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
