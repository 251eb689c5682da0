"""Which column is the text, which the label, which the split and which the row id.

In: the column names of one file, and the settings. Out: a `Columns`, or a `DataError` that lists what there is.
It does not look at any value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from limbeck.errors import DataError
from limbeck.settings import ReadSettings

TEXT_NAMES = (
    "text",
    "texts",
    "sentence",
    "content",
    "document",
    "review",
    "tweet",
    "comment",
    "message",
    "body",
    "utterance",
    "텍스트",
    "문장",
    "본문",
    "내용",
    "리뷰",
    "댓글",
    "발화",
)
"""Usual names of the text column; where several are there, the first of this list is taken."""

LABEL_NAMES = (
    "label",
    "labels",
    "target",
    "class",
    "category",
    "sentiment",
    "emotion",
    "intent",
    "topic",
    "라벨",
    "레이블",
    "감정",
    "감성",
    "분류",
    "클래스",
    "카테고리",
)
"""Usual names of the label column; where several are there, the first of this list is taken."""

LABEL_NAME = "label_name"
"""Beside `label` this column says what its integers mean, as `Dataset.to_pandas` writes them."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of one file, by the file's own names.

    Attributes:
        text: the text.
        label: the label, by name or integer; None where the file has none.
        label_index: integers that `label` names, where the file has both.
        split: the split, where the file has such a column.
        row_id: the row id, where the file has such a column.
        others: every other column → the name under which it is kept.
    """

    text: str
    label: str | None
    label_index: str | None
    split: str | None
    row_id: str | None
    others: dict[str, str]


def find_columns(names: Sequence[str], settings: ReadSettings, *, file: str, split: str) -> Columns:
    """Find the columns of one file.

    Args:
        names: the file's column names.
        settings: names given by hand, and whether a label is needed.
        file: what messages call the file.
        split: the file's own split; an unsupervised one needs no label.

    Raises:
        DataError: the text column, or a label column that is needed, is not there; lists the columns and the nearest.
    """
    text = settings.text_column or _first_usual(TEXT_NAMES, names)
    if text is None or text not in names:
        raise DataError(_missing("text", settings.text_column, names, file))
    label, label_index = _find_label([name for name in names if name != text], settings, file, split)
    reserved = {"row_id", "split", "text", "label", LABEL_NAME}
    taken = {text, label, label_index, "split", "row_id"}
    kept: dict[str, str] = {}
    for name in names:
        if name not in taken:
            new = name
            while new in reserved or new in kept.values() or (new != name and new in names):
                new += "_"
            kept[name] = new
    return Columns(
        text=text,
        label=label,
        label_index=label_index,
        split="split" if "split" in names and "split" not in (text, label) else None,
        row_id="row_id" if "row_id" in names and "row_id" not in (text, label) else None,
        others=kept,
    )


def _find_label(names: Sequence[str], settings: ReadSettings, file: str, split: str) -> tuple[str | None, str | None]:
    """Return the label column, and the column of integers that it names."""
    if settings.labels == "ignored":
        return None, None
    if settings.label_column is None and "label" in names and LABEL_NAME in names:
        return LABEL_NAME, "label"
    label = settings.label_column or _first_usual((*LABEL_NAMES, LABEL_NAME), names)
    if label in names:
        return label, None
    needed = settings.labels == "required" or settings.label_column is not None
    if needed and split != "unsupervised":
        raise DataError(_missing("label", settings.label_column, names, file))
    return None, None


def _first_usual(usual: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the column that bears the first of the usual names, upper or lower case."""
    by_key = {name.strip().lower(): name for name in reversed(names)}
    return next((by_key[key] for key in usual if key in by_key), None)


def _missing(role: str, given: str | None, names: Sequence[str], file: str) -> str:
    there = f"its columns are {', '.join(map(repr, names)) or 'none'}"
    if given is not None:
        near = get_close_matches(given, names, n=1, cutoff=0.5)
        return f"{file} has no column {given!r}: {there}" + (f"; did you mean {near[0]!r}?" if near else "")
    usual = LABEL_NAMES if role == "label" else TEXT_NAMES
    nearest = next((name for word in usual for name in get_close_matches(word, names, n=1, cutoff=0.7)), None)
    return (
        f"{file} has no {role} column: {there}. Give --{role}-column"
        f"{f' {nearest!r}, the nearest' if nearest else ''}, or name it {role!r} in the first line"
    )


def has_text_column(names: Sequence[str], settings: ReadSettings) -> bool:
    """Tell whether one of these names is the text column's."""
    return (settings.text_column or _first_usual(TEXT_NAMES, names)) in names
