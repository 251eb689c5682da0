"""The journal of a run: what a run goes on with must be what it wrote."""

import pytest

from limbeck.errors import StorageError
from limbeck.training.journal import Journal, read_epochs


@pytest.mark.parametrize("left", [None, b"", b'{"what": "step"}\n'])
def test_a_journal_that_was_lost_is_told_before_training(tmp_path, left):
    """It is never filled up with zeros: after all epochs nobody could read it."""
    path = tmp_path / "metrics.jsonl"
    if left is not None:
        path.write_bytes(left)
    with pytest.raises(StorageError, match=r"metrics.jsonl has [\d,]+ bytes, and 1,000 were written.*--overwrite"):
        Journal(path, keep_bytes=1000)
    assert (path.read_bytes() if path.exists() else None) == left


def test_what_is_after_the_last_checkpoint_is_written_again(tmp_path):
    """A longer journal is cut where the run goes on."""
    path = tmp_path / "metrics.jsonl"
    with Journal(path) as journal:
        journal.write("step", {"step": 1})
        kept = journal.sync()
        journal.write("step", {"step": 2})
    with Journal(path, keep_bytes=kept) as journal:
        assert journal.sync() == kept
    assert path.read_text() == '{"what": "step", "step": 1}\n'


@pytest.mark.parametrize("line", ["\0\0", '{"what": "epo', "[1", "{}", "3"])
def test_a_damaged_line_is_named(tmp_path, line):
    """By its number, with what to do."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"what": "step"}\n' + line + "\n")
    with pytest.raises(StorageError, match=r"line 2, is damaged.*--overwrite"):
        read_epochs(path)
