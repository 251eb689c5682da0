"""Rows before training: audited, cleaned and split, as the commands of these names do.

In: rows, or where they are, and options. Out: what was found or made. It does not know models.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from limbeck.api.found_tokenizers import find_tokenizers
from limbeck.api.given import Rows, dataset_of
from limbeck.auditing.audit import Audit
from limbeck.auditing.audit import audit as audit_dataset
from limbeck.auditing.clean import Cleaning, write_cleaning
from limbeck.auditing.clean import clean as clean_dataset
from limbeck.auditing.resplit import Resplit, resplit
from limbeck.data.write import write
from limbeck.progress import ProgressLike, as_progress
from limbeck.reading.read import said_in_python
from limbeck.setting_tables import build
from limbeck.settings import NEAR_THRESHOLD, AuditSettings, CleanSettings, ReadSettings, SplitSettings

READ_TO_MEND = ReadSettings(on_bad_row="mend", labels="optional")
"""How data is read that may be at fault: broken and empty rows stay, so that they are found."""
UNLABELLED_TOO = ReadSettings(labels="optional")


@said_in_python()
def audit(data: Rows, *, encoder: str | Iterable[str] = (), progress: ProgressLike = None, **options: Any) -> Audit:
    """Tell what is wrong with data before anything is trained: leaks, conflicts, duplicates, faults, lengths.

    Args:
        data: a `Dataset`, or a path as `read` takes it; a file is read so that broken rows are found too.
        encoder: whose tokenizer is measured first: a preset, "hub:OWNER/NAME" or a folder; several in a list. Every
            preset on this machine is measured as well.
        progress: True shows what is being done.
        **options: fields of `AuditSettings`: near, near_threshold, limits.

    Raises:
        DataError: there are no rows.
        SettingsError: an option is unknown or out of range.

    Example:
        >>> data = from_lists(["so happy", "so happy", "sad again"], ["joy", "anger", "sadness"])
        >>> found = audit(data)
        >>> found.conflicts.exact.texts
        1
    """
    following = as_progress(progress)
    settings = build(AuditSettings, options, where="audit")
    found = find_tokenizers([encoder] if isinstance(encoder, str) else list(encoder), following)
    dataset = dataset_of(data, READ_TO_MEND, following, where="audit")
    return audit_dataset(dataset, settings, tokenizers=found.tokenizers, shape=found.shape, progress=following)


@said_in_python()
def clean(
    data: Rows,
    drop: str | Iterable[str],
    *,
    out: str | Path | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> Cleaning:
    """Take faulty rows out and log every one of them; `.dataset` of the result has the rows that stay.

    Args:
        data: a `Dataset`, or a path as `read` takes it.
        drop: kinds of rows to remove, in a list or separated by commas: empty, one-token, equal-to-label, mojibake,
            control-characters, html, conflicts, leaks, near-leaks, exact-duplicates, near-duplicates.
        out: folder to make, with the rows and the log; nothing is written when not given.
        progress: True shows what is being done.
        **options: further fields of `CleanSettings`: on_conflict, near_threshold.

    Raises:
        SettingsError: a kind or an option is not known.
        DataError: no row would be left.
        StorageError: `out` is there already, or cannot be written.

    Example:
        >>> data = from_lists(["so happy", "so happy", "sad again"], ["joy", "joy", "sadness"])
        >>> len(clean(data, drop="exact-duplicates").dataset)
        2
    """
    following = as_progress(progress)
    kinds = drop.split(",") if isinstance(drop, str) else drop
    given = {"drop": tuple(kind.strip() for kind in kinds if kind.strip()), **options}
    settings = build(CleanSettings, given, where="clean")
    cleaning = clean_dataset(dataset_of(data, READ_TO_MEND, following, where="clean"), settings, following)
    if out is not None:
        write_cleaning(cleaning, settings, Path(out))
    return cleaning


@said_in_python()
def split(
    data: Rows,
    *,
    near_threshold: float = NEAR_THRESHOLD,
    out: str | Path | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> Resplit:
    """Make new splits, stratified by label, with equal and nearly equal texts together; `.dataset` has them.

    Args:
        data: a `Dataset`, or a path as `read` takes it; splits that it has are forgotten.
        near_threshold: minimum similarity, 0.5 to 1, of texts that stay together.
        out: file or folder to write; nothing is written when not given.
        progress: True shows what is being done.
        **options: fields of `SplitSettings`: validation_share, test_share, seed.

    Raises:
        SettingsError: an option is unknown or out of range.
        DataError: a class has too few different texts for every split.
        StorageError: `out` cannot be written.

    Example:
        >>> texts = [f"{day} {mood}" for day in "abcdefghij" for mood in ("good", "bad")]
        >>> data = from_lists(texts, ["joy", "anger"] * 10)
        >>> split(data, validation_share=0.2, test_share=0.2).dataset.split_sizes()
        {'train': 12, 'validation': 4, 'test': 4}
    """
    following = as_progress(progress)
    settings = build(SplitSettings, options, where="split")
    dataset = dataset_of(data, UNLABELLED_TOO, following, where="split")
    made = resplit(dataset, settings, near_threshold=near_threshold, progress=following)
    if out is not None:
        write(made.dataset, out)
    return made
